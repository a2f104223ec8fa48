"""Who may talk to the endpoint, and how much and how slowly.

Refused before any door sees it: a Host or Origin that is not this machine's (DNS rebinding), a
missing token where one is demanded, a body that is too large or too slow.
Where a token is demanded, a browser without it still gets the console's sign-in page.
Sources: RFC 9110 (Host, Origin, Content-Length); Fetch Metadata (Sec-Fetch-Site); SigV4, whose
signature is not verified here.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sim.server.errors import aws_error
from sim.server.session import Session

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
PATIENCE_S: Final = 30.0
SLOWEST_BYTES_PER_S: Final = 10_000
SIGNING_IN: Final = (
    ("GET", "/console"),
    ("GET", "/console/sign-in.js"),
    ("POST", "/console/sign-in"),
)
"""What a browser needs before it can show the token."""
IS_KNOWN: Final = "rft.is_known"
"""In the scope: whether the token was shown, or none is demanded."""
_CREDENTIAL = re.compile(r"AWS4-\S+\s+.*?Credential=([^/,\s]+)/")
_HOST = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?")


class Guard:
    """ASGI middleware around everything."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Iterable[str],
        token: str | None,
        session: Session,
        is_console: Callable[[Scope], bool],
        body_max: Callable[[Scope], int],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._app = app
        self._hosts = frozenset({*LOOPBACK, *hosts})
        self._token = token
        self._session = session
        self._is_console = is_console
        self._body_max = body_max
        self._patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with a limited body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_known = self._is_known(scope, headers)
        refusal = self._refusal(scope, headers, is_known=is_known)
        if refusal is not None:
            await aws_error("AccessDeniedException", refusal)(scope, receive, send)
            return
        scope = {**scope, IS_KNOWN: is_known}
        body = _Body(receive, send, most=self._body_max(scope), patience_s=self._patience_s)
        if body.announced_too_large(headers.get("content-length")):
            await body.refuse(scope)
            return
        try:
            await self._app(scope, body.receive, body.send)
        except ClientDisconnect:
            if body.trouble is None:
                return
        if body.trouble is not None:
            await body.refuse(scope)

    def _is_known(self, scope: Scope, headers: Headers) -> bool:
        if self._token is None or _shows(headers, self._token):
            return True
        return self._is_console(scope) and self._session.is_shown(headers)

    def _refusal(self, scope: Scope, headers: Headers, *, is_known: bool) -> str | None:
        if not self._is_ours(headers.get("host", "")):
            return (
                "the Host header names another machine; "
                "use http://127.0.0.1, http://localhost or the address given to --host"
            )
        origin = headers.get("origin")
        if origin is not None and not self._is_ours(urlsplit(origin).netloc):
            return "a page of another origin may not use the local endpoint"
        if headers.get("sec-fetch-site") == "cross-site":
            return "another site may not use the local endpoint"
        if not is_known and not self._may_sign_in(scope):
            return (
                "the endpoint's token is missing; give it as the access key id "
                "(AWS_ACCESS_KEY_ID) or as the bearer token (OPENAI_API_KEY)"
            )
        return None

    def _may_sign_in(self, scope: Scope) -> bool:
        asked = (scope["method"], scope["path"].rstrip("/"))
        return asked in SIGNING_IN and self._is_console(scope)

    def _is_ours(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = (match[1] or match[2]).lower().rstrip(".")
        # Buckets are subdomains in one of S3's styles; .localhost never leaves the machine.
        return name in self._hosts or name.endswith(".localhost")


def _shows(headers: Headers, token: str) -> bool:
    authorization = headers.get("authorization", "")
    match = _CREDENTIAL.match(authorization)
    shown = match[1] if match else authorization.removeprefix("Bearer ").strip()
    return hmac.compare_digest(shown.encode(), token.encode())


class _Body:
    """A request's body, counted and timed; after a breach the app's own answer is not sent."""

    def __init__(self, receive: Receive, send: Send, *, most: int, patience_s: float) -> None:
        self._receive = receive
        self._send = send
        self._most = most
        self._patience_s = patience_s
        self._began = time.monotonic()
        self._received = 0
        self._is_whole = False
        self._has_answered = False
        self.trouble: str | None = None

    def announced_too_large(self, length: str | None) -> bool:
        """Whether the Content-Length is already more than may come."""
        if length is not None and (not length.isdecimal() or int(length) > self._most):
            self.trouble = "RequestEntityTooLargeException"
        return self.trouble is not None

    async def receive(self) -> Message:
        """Return the next piece, or a disconnect once there is trouble."""
        if self.trouble is not None:
            return {"type": "http.disconnect"}
        if self._is_whole:  # what comes now is only the client's leaving
            return await self._receive()
        allowed_s = self._patience_s + self._received / SLOWEST_BYTES_PER_S
        left_s = self._began + allowed_s - time.monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, left_s))
        except TimeoutError:
            self.trouble = "RequestTimeoutException"
            return {"type": "http.disconnect"}
        self._received += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._received > self._most:
            self.trouble = "RequestEntityTooLargeException"
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        """Send the app's answer, unless a refusal will be sent instead."""
        if self.trouble is None or self._has_answered:
            self._has_answered = True
            await self._send(message)

    async def refuse(self, scope: Scope) -> None:
        """Say what the trouble was, and end the connection."""
        if self._has_answered or self.trouble is None:
            return
        words = {
            "RequestEntityTooLargeException": f"the body is larger than {self._most:,} bytes",
            "RequestTimeoutException": "the body came too slowly",
        }
        response = aws_error(self.trouble, words[self.trouble])
        response.headers["connection"] = "close"
        await response(scope, self._receive, self._send)
