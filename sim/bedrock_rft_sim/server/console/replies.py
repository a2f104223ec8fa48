"""What every reply of the console carries, and who may change anything.

The page runs two scripts, named by a nonce, and asks its own server only.  A request that changes
something comes from this very page: the guard refuses a foreign origin, and here it may not be
missing either, and a header must be there that no form can send.
Sources: W3C Content Security Policy Level 3; OWASP cheat sheet on CSRF.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.jobs import UnknownJobError
from bedrock_rft_sim.server.errors import log_failure, own_mistake
from bedrock_rft_sim.server.json_body import parse_object

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


def refused(_request: Request, error: Exception) -> Response:
    """Answer what went wrong as `{"error": ...}`."""
    words, status = str(error), 500
    match error:
        case ConsoleError():
            status = error.status
        case UnknownJobError():
            status = 404
        case RehearsalError():
            log_failure(error)
        case HTTPException():
            words, status = "there is nothing here", error.status_code
        case _:
            words = own_mistake(error)
    return json_reply({"error": words}, status=status)


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
        return parse_object(bytes(content))
    except ValueError as error:
        raise ConsoleError(f"the body is no JSON: {error}") from error


def demand_own_page(request: Request) -> None:
    """Refuse to change anything for another page.

    Raises:
        ConsoleError: the console's own page did not send this.
    """
    if "origin" not in request.headers or request.headers.get(ASKED_BY_PAGE) != "1":
        raise ConsoleError("only the console's own page may ask for this", status=403)
