"""Who may talk to the endpoint, and how much and how slowly.

Refused before any API sees it: a page of any other origin, whatever its port and its method; a
Host that is not this machine's (DNS rebinding); a missing token where one is demanded; a body that
is too large or too slow.
Where a token is demanded, every Host may be used, because a rebound page doesn't know the token,
and a browser without it still gets the console's sign-in page.
Sources: RFC 9110 (Host, Content-Length); RFC 6454 (Origin); Fetch Metadata (Sec-Fetch-Site, -Mode,
-Dest); SigV4 and S3's older signature, neither of which is verified here.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections.abc import Callable, Iterator
from typing import Final, Literal
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bedrock_rft_sim.server.dispatch import body_max, destination_of
from bedrock_rft_sim.server.request_line import query_of
from bedrock_rft_sim.server.session import Session

Kind = Literal["foreign", "unknown", "too large", "too slow"]
"""From elsewhere; without the token; a body that is too large; one that is too slow."""
Refuse = Callable[[str, Kind, str], Response]
"""From the service, the kind and the words to the answer."""

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
_CREDENTIAL = re.compile(r"Credential=([^/,\s]{1,512})/")
_OLD_CREDENTIAL = re.compile(r"AWS ([^:\s]{1,512}):")
_HOST = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?")
_OTHER_SITES: Final = ("same-site", "cross-site")
"""Another port of this machine is the same site."""


class Guard:
    """ASGI middleware around everything."""

    def __init__(
        self, app: ASGIApp, *, session: Session, refuse: Refuse, patience_s: float = PATIENCE_S
    ) -> None:
        self._app = app
        self._refuse = refuse
        self._session = session
        self._patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with a limited body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_known = self._is_known(scope, headers)
        refused = self._refusal(scope, headers, is_known=is_known)
        if refused is not None:
            await refused(scope, receive, send)
            return
        scope = {**scope, IS_KNOWN: is_known}
        body = _Body(receive, send, most=body_max(scope), patience_s=self._patience_s)
        if not body.announced_too_large(headers.get("content-length")):
            try:
                await self._app(scope, body.receive, body.send)
            except ClientDisconnect:
                if body.trouble is None:
                    return
        if body.trouble is not None and not body.has_answered:
            response = self._refuse(destination_of(scope).service, body.trouble, body.words())
            response.headers["connection"] = "close"
            await response(scope, receive, send)

    def _is_known(self, scope: Scope, headers: Headers) -> bool:
        if any(self._session.accepts(one) for one in _shown(scope, headers)):
            return True
        return _is_console(scope) and self._session.is_shown(headers)

    def _refusal(self, scope: Scope, headers: Headers, *, is_known: bool) -> Response | None:
        why = self._why_foreign(scope, headers)
        if why is not None:
            return self._refuse(destination_of(scope).service, "foreign", why)
        if is_known or self._may_sign_in(scope):
            return None
        words = (
            "the endpoint's token is missing or wrong; give it as the access key id "
            "(AWS_ACCESS_KEY_ID) or as the bearer token (OPENAI_API_KEY)"
        )
        return self._refuse(destination_of(scope).service, "unknown", words)

    def _why_foreign(self, scope: Scope, headers: Headers) -> str | None:
        host = headers.get("host", "")
        name = _name(host)
        if name is None or (self._session.token is None and not _is_this_machine(name)):
            return (
                "the Host header names another machine; use http://127.0.0.1 or "
                "http://localhost, or set a token, with which every name may be used"
            )
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"{scope['scheme']}://{host.lower()}":
            return "a page of another origin may not use the local endpoint"
        if headers.get("sec-fetch-site") in _OTHER_SITES and not _is_link(scope, headers):
            return "another site may not use the local endpoint"
        return None

    def _may_sign_in(self, scope: Scope) -> bool:
        return (scope["method"], scope["path"].rstrip("/")) in SIGNING_IN and _is_console(scope)


def _is_console(scope: Scope) -> bool:
    """Whether the console will answer, and not a bucket of that name."""
    return destination_of(scope).service == "console"


def _is_link(scope: Scope, headers: Headers) -> bool:
    """Whether a link was followed to the console, which nobody may put in a frame."""
    purpose = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest"))
    is_followed = scope["method"] == "GET" and purpose == ("navigate", "document")
    return is_followed and _is_console(scope)


def _name(host: str) -> str | None:
    """Return the name or address in a Host header, or None where it is none."""
    match = _HOST.fullmatch(host)
    if match is None:
        return None
    try:
        return str(ipaddress.IPv6Address(match[1])) if match[1] else match[2].lower().rstrip(".")
    except ValueError:
        return None


def _is_this_machine(name: str) -> bool:
    # Buckets are subdomains in one of S3's styles; .localhost never leaves the machine.
    return name in LOOPBACK or name.endswith(".localhost")


def _shown(scope: Scope, headers: Headers) -> Iterator[str]:
    """Yield each place's token; presigned addresses carry it in the query."""
    authorization = headers.get("authorization", "")
    is_signed = authorization.startswith("AWS4-")
    match = (_CREDENTIAL.search if is_signed else _OLD_CREDENTIAL.match)(authorization)
    yield match[1] if match else authorization.removeprefix("Bearer ").strip()
    query = parse_qs(query_of(scope))
    yield query.get("X-Amz-Credential", [""])[0].partition("/")[0]
    yield query.get("AWSAccessKeyId", [""])[0]


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
        self.has_answered = False
        self.trouble: Kind | None = None

    def announced_too_large(self, length: str | None) -> bool:
        """Whether the Content-Length is already more than may come."""
        if length is not None and (not length.isdecimal() or int(length) > self._most):
            self.trouble = "too large"
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
            self.trouble = "too slow"
            return {"type": "http.disconnect"}
        self._received += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._received > self._most:
            self.trouble = "too large"
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        """Send the app's answer, unless a refusal will be sent instead."""
        if self.trouble is None or self.has_answered:
            self.has_answered = True
            await self._send(message)

    def words(self) -> str:
        """Say what the trouble was."""
        if self.trouble == "too large":
            return f"the body is larger than {self._most:,} bytes"
        return "the body came too slowly"
