"""From a request to plain values and back: bodies, refusals, lists, server-sent events.

Lists are OpenAI's: newest first, `limit` and `after`, `has_more`.
Sources: OpenAI API reference; openai Python library, `SyncCursorPage` (the next page begins
after the last id); WHATWG HTML standard, server-sent events.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.server.errors import log_failure, own_mistake
from bedrock_rft_sim.server.inference import Busy, Loading, ModelError, Refused
from bedrock_rft_sim.server.json_body import parse_object
from bedrock_rft_sim.server.mantle.errors import (
    SERVER,
    OpenAIError,
    model_failed,
    unsupported,
    wrong,
)

Endpoint = Callable[[Request], Awaitable[Response]]

DEFAULT_LIMIT = 20
MAX_LIMIT = 1000


def refused(request: Request, error: Exception) -> Response:
    """Answer what went wrong, in OpenAI's form."""
    return _as_openai(request, error).response()


def _as_openai(request: Request, error: Exception) -> OpenAIError:
    match error:
        case OpenAIError():
            return error
        case Busy():
            kind, code = "rate_limit_error", "rate_limit_exceeded"
            return OpenAIError(str(error), status=429, kind=kind, code=code)
        case Loading():
            return OpenAIError(str(error), status=503, kind=SERVER, code="model_not_ready")
        case ModelError() | Refused():
            return model_failed(error)
        case RehearsalError():
            log_failure(error)
            return OpenAIError(str(error), status=500, kind=SERVER)
        case HTTPException() if error.status_code not in (404, 405):  # such as a form's
            return OpenAIError(error.detail, status=error.status_code)
        case HTTPException():
            words = f"{request.method} {request.scope['path'][:200]} is not simulated"
            code = "not_simulated"
            return OpenAIError(f"{words} by the local endpoint.", status=404, code=code)
    return OpenAIError(own_mistake(error), status=500, kind=SERVER)


async def read_body(request: Request) -> dict[str, Any]:
    """Return the body's JSON object.

    Raises:
        OpenAIError: it is none.
    """
    try:
        return await run_in_threadpool(parse_object, await request.body())
    except ValueError as error:
        raise OpenAIError(f"We could not parse the JSON body of your request: {error}") from error


def with_body(work: Callable[[dict[str, Any]], dict[str, Any]]) -> Endpoint:
    """Return an endpoint that hands the request's body to `work`, in a thread."""

    async def endpoint(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(work, await read_body(request)))

    return endpoint


def demand_only(found: Iterable[str], *known: str) -> None:
    """Refuse what is not simulated of a form, a query or a body.

    Raises:
        OpenAIError: a name is unknown.
    """
    for name in found:
        if name not in known:
            raise unsupported(name)


def page(
    items: Sequence[Mapping[str, Any]],
    query: Mapping[str, str],
    *,
    default: int = DEFAULT_LIMIT,
    most: int = MAX_LIMIT,
) -> dict[str, Any]:
    """Return the page of `items` that the query asks for.

    Raises:
        OpenAIError: `limit` is no number in range, or nothing has the id `after`.
    """
    limit = _limit(query.get("limit"), default, most)
    start = _start(items, query.get("after"))
    shown = list(items[start : start + limit])
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": start + limit < len(items),
    }


def _limit(text: str | None, default: int, most: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= most):
        raise wrong("limit", f"expected a whole number from 1 to {most}, got '{text[:40]}'.")
    return int(text)


def _start(items: Sequence[Mapping[str, Any]], after: str | None) -> int:
    if after is None:
        return 0
    for position, item in enumerate(items):
        if item["id"] == after:
            return position + 1
    raise OpenAIError(f"No such object: {after[:80]}", param="after", code="invalid_cursor")


def event_stream(lines: AsyncIterator[str]) -> Response:
    """Return a response of server-sent events."""
    headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
    return StreamingResponse(lines, media_type="text/event-stream", headers=headers)


def event(data: Mapping[str, Any]) -> str:
    """Return one server-sent event, under its type where it has one."""
    head = f"event: {data['type']}\n" if "type" in data else ""
    return f"{head}data: {json.dumps(data, separators=(',', ':'))}\n\n"
