"""A browser's way past the token: it is typed once, and a cookie stands for it from then on.

Programs show the token with every request; a page that is opened by its address can't.
The cookie opens the console and nothing else, and holds a secret of this start of the server, never
the token. Cookies don't know ports: another server on this machine that the same browser visits is
shown it too, which is why its name holds the port and a new start takes a new secret.
Sources: RFC 6265bis (HttpOnly, SameSite).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping


class Session:
    """Who may use the endpoint: who shows the token, and whoever has signed in to the console."""

    def __init__(self, token: str | None) -> None:
        self.token = token
        """What a client must show, as access key id or as bearer token; None on loopback."""
        self._secret = secrets.token_urlsafe(32)

    def accepts(self, token: str) -> bool:
        """Whether this is the token; every text is, where none is demanded."""
        return self.token is None or hmac.compare_digest(token.encode(), self.token.encode())

    def cookie(self, host: str) -> str:
        """Return the value of Set-Cookie for whoever signed in under this Host."""
        return f"{_name(host)}={self._secret}; Path=/console; HttpOnly; SameSite=Strict"

    def is_shown(self, headers: Mapping[str, str]) -> bool:
        """Whether a request carries the cookie."""
        wanted = _name(headers.get("host", ""))
        # The standard library's reader takes seconds for a header full of quoted backslashes.
        parts = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
        return any(
            name == wanted and hmac.compare_digest(value.encode(), self._secret.encode())
            for name, _, value in parts
        )


def _name(host: str) -> str:
    port = host.rpartition(":")[2]
    return f"rft-console-{port}" if port.isdecimal() else "rft-console"
