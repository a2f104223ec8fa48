"""What every reply of the console carries, and who may ask it to change anything.

The page runs two scripts, named by a nonce, and asks its own server only.  A request that changes
something comes from this very page: the guard refuses a foreign origin, and here it may not be
missing either, and a header must be there that no form can send.
Sources: W3C Content Security Policy Level 3; OWASP cheat sheet on CSRF.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.jobs import UnknownJobError
from bedrock_rft_sim.server.errors import log_failure
from bedrock_rft_sim.server.json_body import parse_json
from bedrock_rft_sim.server.state import UnknownModelError

Endpoint = Callable[[Request], Awaitable[Response]]

ASKED_BY_PAGE: Final = "x-rft-console"
BODY_MAX: Final = 256 * 1024
HEADERS: Final = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


class ConsoleError(Exception):
    """A refusal, in words for the page."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


def refusing(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with every refusal as `{"error": …}`."""

    async def answer(request: Request) -> Response:
        try:
            if request.method == "POST":
                _demand_own_page(request)
            return await endpoint(request)
        except ConsoleError as error:
            return json_reply({"error": str(error)}, status=error.status)
        except (UnknownJobError, UnknownModelError) as error:
            return json_reply({"error": str(error)}, status=404)
        except RehearsalError as error:
            log_failure(error)
            return json_reply({"error": str(error)}, status=500)

    return answer


def reply(
    content: str | bytes, kind: str, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a reply with the headers that all have; `headers` go before them."""
    return Response(
        content, status_code=status, media_type=kind, headers={**HEADERS, **(headers or {})}
    )


def json_reply(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return JSON in ASCII: half a surrogate pair in a name has no UTF-8."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return reply(text, "application/json", status=status, headers=headers)


def failed(_request: Request, error: Exception) -> Response:
    """Answer our own mistake; the traceback goes to the server's log, not to the page."""
    words = f"{type(error).__name__} in the local endpoint; the server's log has the traceback"
    return json_reply({"error": words}, status=500)


def nothing_here(_request: Request, error: Exception) -> Response:
    """Answer for a path that leads nowhere, or is not asked in this way."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    return json_reply({"error": "there is nothing here"}, status=status)


async def read_body(request: Request) -> dict[str, Any]:
    """Return the body's JSON object.

    Raises:
        ConsoleError: it is none, or too long.
    """
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > BODY_MAX:
            raise ConsoleError(f"the question is longer than {BODY_MAX:,} bytes", status=413)
    try:
        body = parse_json(bytes(content))
    except ValueError as error:
        raise ConsoleError(f"the body is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise ConsoleError("the body must be a JSON object")
    return body


def _demand_own_page(request: Request) -> None:
    if "origin" not in request.headers or request.headers.get(ASKED_BY_PAGE) != "1":
        raise ConsoleError("only the console's own page may ask for this", status=403)
