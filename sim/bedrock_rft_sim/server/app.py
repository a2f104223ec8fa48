"""The endpoint as one ASGI application: a guard, and the APIs behind it.

Calls that may take long wait in lanes of their own, so that whoever polls finds a thread.
Sources: ASGI; anyio (a limiter for each kind of work).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final
from xml.sax.saxutils import escape

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bedrock_rft_sim import __version__
from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.server import errors, routes
from bedrock_rft_sim.server.aws import moto_app
from bedrock_rft_sim.server.aws.bodies import LARGE
from bedrock_rft_sim.server.aws.moto_app import MotoRequest, MotoResponse, xml_error
from bedrock_rft_sim.server.console import replies
from bedrock_rft_sim.server.dispatch import destination_of, s3_path
from bedrock_rft_sim.server.failing import Failing
from bedrock_rft_sim.server.forms import refusal
from bedrock_rft_sim.server.guard import Guard
from bedrock_rft_sim.server.mantle import http as mantle
from bedrock_rft_sim.server.mantle.errors import OpenAIError
from bedrock_rft_sim.server.request_ids import RequestIds
from bedrock_rft_sim.server.request_line import query_of, raw_path
from bedrock_rft_sim.server.rest import RestService
from bedrock_rft_sim.server.runtime import endpoints as runtime
from bedrock_rft_sim.server.state import ServerState

IN_MEMORY: Final = LARGE
MOTO_THREADS: Final = 8
"""moto works on one request at a time; the others read and write what it answers from."""
_NO_BODY: Final = (204, 304)
_ACCESS_KEY = re.compile(rb"<AccessKeyId>[^<]*</AccessKeyId>")


def build(state: ServerState) -> ASGIApp:
    """Return the application."""
    services: ASGIApp = _Services(state)
    if state.faults.faults:
        rules, paths = state.faults.faults, routes.mantle_routes(state)
        services = Failing(services, rules=rules, openai_routes=paths)
    app = Starlette(
        routes=[Mount("/", app=services)],
        middleware=[Middleware(Guard, session=state.session, refuse=refusal)],
        exception_handlers={Exception: errors.internal_error},
    )
    return RequestIds(app)


class _Services:
    """The services side by side, each request handed to the one it is for."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._moto_lane = CapacityLimiter(MOTO_THREADS)
        self._rest = {
            "bedrock": RestService(
                "bedrock", routes.bedrock_operations(state), default_region=state.region
            ),
            "lambda": RestService(
                "lambda",
                routes.lambda_operations(state),
                invalid="InvalidParameterValueException",
                failed="ServiceException",
                default_region=state.region,
            ),
            "logs": RestService(
                "logs",
                routes.logs_operations(state),
                invalid="InvalidParameterException",
                failed="ServiceUnavailableException",
                default_region=state.region,
            ),
        }
        self._apps: dict[str, ASGIApp] = {
            "bedrock-runtime": _app(routes.runtime_routes(state), runtime.refused),
            "bedrock-mantle": _app(routes.mantle_routes(state), mantle.refused, redirects=False),
            "console": _app(routes.console_routes(state), replies.refused),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope = {**scope, "root_path": "", "app_root_path": ""}
        request, destination = Request(scope, receive), destination_of(scope)
        service = destination.service
        if service in self._apps:
            await self._apps[service](scope, receive, send)
            return
        if service in self._rest:
            response = await self._rest[service].answer(request, region=destination.region)
        elif service in moto_app.SERVICES:
            response = await self._moto(request, service)
        elif service == "":
            response = JSONResponse({"name": "bedrock-rft-sim", "version": __version__})
        else:
            response = errors.not_simulated(f"the service {service}").response()
        await response(scope, receive, send)

    async def _moto(self, request: Request, service: str) -> Response:
        left_out = ("host", "authorization")
        headers = {name: text for name, text in request.headers.items() if name not in left_out}
        path = s3_path(request.scope) if service == "s3" else raw_path(request.scope)
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as body:
            async for piece in request.stream():
                body.write(piece)
            sent = MotoRequest(request.method, path, query_of(request.scope), headers, body)
            if service == "s3":
                call = partial(self._state.s3.call, sent)
            else:
                call = partial(self._state.iam.call, service, sent)
            try:
                answer = await to_thread.run_sync(call, limiter=self._moto_lane)
            except RehearsalError as error:
                errors.log_failure(error)
                answer = xml_error(service, "InternalError", str(error), status=500)
        token = self._state.session.token
        if service == "sts" and token is not None:
            answer = _showing(answer, token)
        return _response(request.method, answer)


def _app(
    routes: Sequence[Route],
    refused: Callable[[Request, Exception], Response],
    *,
    redirects: bool = True,
) -> Starlette:
    """Return an API's application, in which `refused` answers whatever is raised.

    `redirects` leads a path with a slash too many to the one without.
    """

    async def answer(request: Request, error: Exception) -> Response:
        return refused(request, error)

    kinds = (errors.AwsError, OpenAIError, replies.ConsoleError, RehearsalError, HTTPException)
    app = Starlette(routes=routes, exception_handlers=dict.fromkeys((*kinds, Exception), answer))
    app.router.redirect_slashes = redirects
    return app


def _showing(answer: MotoResponse, token: str) -> MotoResponse:
    """Let the credentials of an assumed role show the token too."""
    shown = f"<AccessKeyId>{escape(token)}</AccessKeyId>".encode()
    return replace(answer, body=_ACCESS_KEY.sub(lambda _: shown, answer.body))


def _response(method: str, answer: MotoResponse) -> Response:
    response = (
        Response(answer.body, status_code=answer.status)
        if answer.stream is None
        else StreamingResponse(answer.stream, status_code=answer.status)
    )
    response.raw_headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in answer.headers
        if not name.lower().startswith("access-control-")
    ]
    # Without it, an object that is a page would run its scripts in the console's own origin.
    response.headers["content-security-policy"] = "sandbox"
    if method != "HEAD" and answer.status not in _NO_BODY and answer.stream is None:
        response.headers["content-length"] = str(len(answer.body))
    return response
