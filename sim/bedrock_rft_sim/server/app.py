"""The endpoint as one ASGI application: a guard, and the doors behind it.

Calls that may take long wait in lanes of their own, so that whoever polls finds a thread.
Sources: ASGI; anyio (a limiter for each kind of work).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final
from xml.sax.saxutils import escape

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from bedrock_rft_sim import __version__
from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.server import console, mantle, runtime
from bedrock_rft_sim.server.aws.answers import Answer, xml_error
from bedrock_rft_sim.server.aws.moto_app import SERVICES as MOTO_SERVICES
from bedrock_rft_sim.server.bedrock.operations import bedrock_operations
from bedrock_rft_sim.server.console.replies import failed, nothing_here
from bedrock_rft_sim.server.doors import meant, s3_path
from bedrock_rft_sim.server.errors import NOT_SIMULATED, aws_error, internal_error, log_failure
from bedrock_rft_sim.server.guard import Guard
from bedrock_rft_sim.server.lambda_.operations import lambda_operations
from bedrock_rft_sim.server.mantle.errors import SERVER, OpenAIError, not_simulated
from bedrock_rft_sim.server.refusals import refusal
from bedrock_rft_sim.server.request_line import query_of, raw_path
from bedrock_rft_sim.server.rest import RestService
from bedrock_rft_sim.server.state import ServerState

IN_MEMORY: Final = 8 * 1024 * 1024
MOTO_THREADS: Final = 8
"""moto works on one request at a time; the others read and write what it answers from."""
_NO_BODY: Final = (204, 304)
_ACCESS_KEY = re.compile(rb"<AccessKeyId>[^<]*</AccessKeyId>")


def build(state: ServerState) -> Starlette:
    """Return the application."""
    return Starlette(
        routes=[Mount("/", app=_Doors(state))],
        middleware=[Middleware(Guard, token=state.token, session=state.session, refuse=refusal)],
        exception_handlers={Exception: internal_error},
    )


class _Doors:
    """Tells the doors apart."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._moto_lane = CapacityLimiter(MOTO_THREADS)
        self._services = {
            "bedrock": RestService(
                "bedrock", bedrock_operations(state), default_region=state.region
            ),
            "lambda": RestService(
                "lambda",
                lambda_operations(state),
                invalid="InvalidParameterValueException",
                failed="ServiceException",
                default_region=state.region,
            ),
        }
        self._apps: dict[str, ASGIApp] = {
            "bedrock-runtime": Starlette(
                routes=runtime.routes(state), exception_handlers={HTTPException: _no_operation}
            ),
            "bedrock-mantle": Starlette(
                routes=mantle.routes(state),
                exception_handlers={HTTPException: _no_page, Exception: _openai_internal_error},
            ),
            "console": Starlette(
                routes=console.routes(state),
                exception_handlers={HTTPException: nothing_here, Exception: failed},
            ),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope = {**scope, "root_path": "", "app_root_path": ""}
        request = Request(scope, receive)
        door = meant(scope)
        service = door.service
        if service in self._apps:
            await self._apps[service](scope, receive, send)
            return
        if service in self._services:
            response = await self._services[service].answer(request, region=door.region)
        elif service in MOTO_SERVICES:
            response = await self._moto(request, service)
        elif service == "":
            response = _about()
        else:
            words = f"the service {service} is {NOT_SIMULATED} by the local endpoint"
            response = aws_error("UnknownOperationException", words)
        await response(scope, receive, send)

    async def _moto(self, request: Request, service: str) -> Response:
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        headers.pop("authorization", None)
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as body:
            async for piece in request.stream():
                body.write(piece)
            call: Callable[..., Answer] = self._state.s3.call
            if service != "s3":
                call = partial(self._state.iam.call, service=service)
            call = partial(
                call,
                request.method,
                s3_path(request.scope) if service == "s3" else raw_path(request.scope),
                query=query_of(request.scope),
                headers=headers,
                body=body,
            )
            try:
                answer = await to_thread.run_sync(call, limiter=self._moto_lane)
            except RehearsalError as error:
                log_failure(error)
                answer = xml_error(service, "InternalError", str(error), status=500)
        if service == "sts" and self._state.token is not None:
            answer = _showing(answer, self._state.token)
        return _response(request.method, answer)


def _showing(answer: Answer, token: str) -> Answer:
    """Let the credentials of an assumed role show the token too."""
    shown = f"<AccessKeyId>{escape(token)}</AccessKeyId>".encode()
    return replace(answer, body=_ACCESS_KEY.sub(lambda _: shown, answer.body))


def _response(method: str, answer: Answer) -> Response:
    response = Response(answer.body, status_code=answer.status)
    response.raw_headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in answer.headers
        if not name.lower().startswith("access-control-")
    ]
    # Without it, an object that is a page would run its scripts in the console's own origin.
    response.headers["content-security-policy"] = "sandbox"
    if method != "HEAD" and answer.status not in _NO_BODY:
        response.headers["content-length"] = str(len(answer.body))
    return response


def _about() -> Response:
    return JSONResponse({"name": "bedrock-rft-sim", "version": __version__})


def _no_operation(request: Request, _error: Exception) -> Response:
    words = (
        f"{request.method} {request.scope['path'][:200]} is {NOT_SIMULATED} by the local endpoint"
    )
    return aws_error("UnknownOperationException", words)


def _no_page(request: Request, error: Exception) -> Response:
    """Answer for a path or method that leads nowhere, or for a form that can't be read."""
    if isinstance(error, HTTPException) and error.status_code not in (404, 405):
        return OpenAIError(error.detail, status=error.status_code).response()
    return not_simulated(request.method, request.scope["path"][:200]).response()


def _openai_internal_error(_request: Request, error: Exception) -> Response:
    words = f"{type(error).__name__} in the local endpoint; the server's log has the traceback"
    return OpenAIError(words, status=500, kind=SERVER).response()
