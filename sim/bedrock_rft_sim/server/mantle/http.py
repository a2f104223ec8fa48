"""From a request to plain values and back: bodies, refusals, server-sent events.

Sources: OpenAI API reference; WHATWG HTML standard, server-sent events.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.server.errors import log_failure
from bedrock_rft_sim.server.inference import ModelError, Refused
from bedrock_rft_sim.server.json_body import parse_json
from bedrock_rft_sim.server.mantle.errors import OpenAIError, model_failed, wrong

Endpoint = Callable[[Request], Awaitable[Response]]


def refusing(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with every refusal in OpenAI's form."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except OpenAIError as error:
            return error.response()
        except (ModelError, Refused) as error:
            return model_failed(error).response()
        except RehearsalError as error:
            log_failure(error)
            return OpenAIError(str(error), status=500, kind="server_error").response()

    return answer


async def read_body(request: Request) -> dict[str, Any]:
    """Return the body's JSON object.

    Raises:
        OpenAIError: it is none.
    """
    try:
        body = await run_in_threadpool(parse_json, await request.body())
    except ValueError as error:
        raise OpenAIError(f"We could not parse the JSON body of your request: {error}") from error
    if not isinstance(body, dict):
        raise OpenAIError("The body must be a JSON object.")
    return body


def model_name(body: dict[str, Any]) -> str:
    """Return `model`.

    Raises:
        OpenAIError: it is missing or no string.
    """
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise wrong("model", "expected the name of a model.", code="missing_required_parameter")
    return name


def event_stream(lines: AsyncIterator[str]) -> Response:
    """Return a response of server-sent events."""
    headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
    return StreamingResponse(lines, media_type="text/event-stream", headers=headers)


def event(data: dict[str, Any], *, name: str | None = None) -> str:
    """Return one server-sent event."""
    head = "" if name is None else f"event: {name}\n"
    return f"{head}data: {json.dumps(data, separators=(',', ':'))}\n\n"
