"""The endpoint's token, and a browser's way past it: shown once, then a cookie stands for it.

Programs show the token with every request; a page that is opened by its address can't.
The cookie opens the console and nothing else, and holds a secret of this start of the server, never
the token. Cookies don't know ports: another server on this machine that the same browser visits is
shown it too, which is why its name holds the port and a new start takes a new secret.
Sources: RFC 6265bis (HttpOnly, SameSite).
"""

from __future__ import annotations

import hmac
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bedrock_rft_sim.files import named_errors, write_file

TOKEN_FILE: Final = "token"  # noqa: S105 - the file's name
TOKEN_BYTES: Final = 20
_TOKEN: Final = re.compile(rf"[0-9a-f]{{{2 * TOKEN_BYTES}}}")


def own_token(root: Path) -> str:
    """Return the token that the endpoint asks for when its owner has stated none.

    It stands in a file under `root` that only its owner can read, and outlives a restart, so that
    variables which were exported once stay right.

    Raises:
        RunFolderError: the file can't be read or written.
    """
    path = root / TOKEN_FILE
    with named_errors(path, "read the endpoint's token"):
        kept = path.read_text(encoding="utf-8").strip() if path.exists() else ""
        is_private = bool(kept) and not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    if is_private and _TOKEN.fullmatch(kept):
        return kept
    token = secrets.token_hex(TOKEN_BYTES)
    write_file(path, token + "\n", "write the endpoint's token", mode=0o600)
    return token


class Session:
    """Who may use the endpoint: who shows the token, and whoever has signed in to the console."""

    def __init__(self, token: str | None) -> None:
        self.token = token
        """What a client must show, as access key id or as bearer token; None lets everybody in."""
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
