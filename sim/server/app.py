"""The endpoint as one ASGI application: which door a request goes to.

A signed request says itself which AWS service it means; the path decides for the rest, such as
boto3's with a Bedrock API key (AWS_BEARER_TOKEN_BEDROCK).
Sources: SigV4's credential scope; paths of botocore's service models and of OpenAI's API.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from sim import __version__
from sim.server import console, mantle, runtime
from sim.server.aws.moto_app import SERVICES as MOTO_SERVICES
from sim.server.aws.moto_app import Answer
from sim.server.bedrock.operations import bedrock_operations
from sim.server.console.replies import failed, nothing_here
from sim.server.errors import NOT_SIMULATED, aws_error, internal_error
from sim.server.guard import Guard
from sim.server.lambda_.operations import lambda_operations
from sim.server.mantle.errors import SERVER, OpenAIError
from sim.server.rest import RestService, operation_at
from sim.server.state import ServerState

BODY_MAX: Final = 80 * 1024 * 1024
"""A zip of 50 MB for Lambda, in base64 and JSON."""
UPLOAD_MAX: Final = 1024 * 1024 * 1024
IN_MEMORY: Final = 8 * 1024 * 1024
_SCOPE = re.compile(r"Credential=[^/,\s]+/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
_BY_PATH: Final = (
    ("/model/", "bedrock-runtime"),
    ("/model-customization", "bedrock"),
    ("/custom-models", "bedrock"),
    ("/foundation-models", "bedrock"),
    ("/2015-03-31/functions", "lambda"),
    ("/console", "console"),
)
_NO_BODY: Final = (204, 304)


def build(state: ServerState, *, hosts: Iterable[str] = ()) -> Starlette:
    """Return the application; `hosts` are names it answers to beside those of loopback."""
    guard = Middleware(
        Guard,
        hosts=tuple(hosts),
        token=state.token,
        session=state.session,
        is_console=_is_console,
        body_max=_body_max,
    )
    return Starlette(
        routes=[Mount("/", app=_Doors(state))],
        middleware=[guard],
        exception_handlers={Exception: internal_error},
    )


class _Doors:
    """Tells the doors apart."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._services = {
            "bedrock": RestService(
                "bedrock", bedrock_operations(state), default_region=state.region
            ),
            "lambda": RestService(
                "lambda",
                lambda_operations(state),
                invalid="InvalidParameterValueException",
                default_region=state.region,
            ),
        }
        self._apps: dict[str, ASGIApp] = {
            "bedrock-runtime": Starlette(
                routes=runtime.routes(state), exception_handlers={404: _no_operation}
            ),
            "bedrock-mantle": Starlette(
                routes=mantle.routes(state),
                exception_handlers={404: _no_page, Exception: _openai_internal_error},
            ),
            "console": Starlette(
                routes=console.routes(state),
                exception_handlers={HTTPException: nothing_here, Exception: failed},
            ),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope = {**scope, "root_path": "", "app_root_path": ""}
        request = Request(scope, receive)
        region, service = _meant(request)
        if service in self._apps:
            await self._apps[service](scope, receive, send)
            return
        if service in self._services:
            response = await self._services[service].answer(request, region=region)
        elif service in MOTO_SERVICES:
            response = await self._moto(request, service)
        elif service == "":
            response = _about()
        else:
            words = f"the service {service} is {NOT_SIMULATED} by the local endpoint"
            response = aws_error("UnknownOperationException", words)
        await response(scope, receive, send)

    async def _moto(self, request: Request, service: str) -> Response:
        raw_path = request.scope["raw_path"].decode("latin-1").partition("?")[0]
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        headers.pop("authorization", None)
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as body:
            async for piece in request.stream():
                body.write(piece)
            call: Callable[..., Answer] = self._state.s3.call
            if service != "s3":
                call = partial(self._state.iam.call, service=service)
            answer = await run_in_threadpool(
                call, request.method, raw_path, query=request.url.query, headers=headers, body=body
            )
        response = Response(answer.body, status_code=answer.status)
        response.raw_headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in answer.headers
            if not name.lower().startswith("access-control-")
        ]
        if request.method != "HEAD" and answer.status not in _NO_BODY:
            response.headers["content-length"] = str(len(answer.body))
        return response


def _meant(request: Request) -> tuple[str | None, str]:
    """Return the Region, where the request names one, and the service; "" for the server's own."""
    signed = _SCOPE.search(request.headers.get("authorization", ""))
    if signed is None:
        credential = parse_qs(request.url.query).get("X-Amz-Credential", [""])[0]
        signed = _SCOPE.search(f"Credential={credential}")
    region = signed[1] if signed else None
    if signed and signed[2] != "bedrock":
        return region, signed[2]
    path = request.scope["raw_path"].decode("latin-1")
    for start, service in _BY_PATH:
        if path.startswith(start):
            return region, service
    if signed:
        return region, "bedrock"
    if path == "/":
        return None, ""
    operation, _ = operation_at(
        "bedrock", request.method, path.partition("?")[0], request.url.query
    )
    return None, "bedrock" if operation else "bedrock-mantle"


def _is_console(scope: Scope) -> bool:
    """Whether the console will answer, and not a bucket of that name."""
    return _meant(Request(scope))[1] == "console"


def _body_max(scope: Scope) -> int:
    _, service = _meant(Request(scope))
    is_upload = service == "s3" or scope["path"].rstrip("/").endswith("/files")
    return UPLOAD_MAX if is_upload else BODY_MAX


def _about() -> Response:
    return JSONResponse({"name": "bedrock-rft-sim", "version": __version__})


def _no_operation(request: Request, _error: Exception) -> Response:
    words = f"{request.method} {request.url.path[:200]} is {NOT_SIMULATED} by the local endpoint"
    return aws_error("UnknownOperationException", words)


def _no_page(request: Request, _error: Exception) -> Response:
    words = f"{request.method} {request.url.path[:200]} is {NOT_SIMULATED} by the local endpoint"
    error = {"message": words, "type": "invalid_request_error", "param": None, "code": None}
    return JSONResponse({"error": error}, status_code=404)


def _openai_internal_error(_request: Request, error: Exception) -> Response:
    words = f"{type(error).__name__} in the local endpoint; the server's log has the traceback"
    return OpenAIError(words, status=500, kind=SERVER).response()
