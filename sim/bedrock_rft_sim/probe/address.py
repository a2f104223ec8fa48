"""The address of a chat endpoint: checked, made whole, and fit to be shown.

Values of a query may be keys, so they are masked wherever an address is printed or stored. A name
and password before the host are refused: the client would not send them, and they would be shown.

Sources: RFC 3986 (the parts of an address); OpenAI API reference, chat completions.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

from bedrock_rft_sim.errors import MASK, SECRET_LENGTH_MIN, RecipeError

PATH = "/chat/completions"
KEY_LENGTH_MAX = 4096
"""Servers refuse headers of more than about 8 KB; a Bedrock key has some 1,200 characters."""
AWS_HOSTS = (".amazonaws.com", ".api.aws")


def check_url(url: str) -> None:
    """Refuse an address that can't be used.

    Raises:
        RecipeError: it is no web address, or holds what a request would not carry.
    """
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise _refused("the endpoint is no web address", url)
    if "@" in parts.netloc:
        raise _refused("the endpoint's address holds a user name or password", url)
    if parts.fragment:
        raise _refused("the endpoint's address has a part after #, which is never sent", url)


def check_key(key: str, variable: str) -> None:
    """Refuse a key that no header can carry, without a word of it.

    Raises:
        RecipeError: it holds other than visible ASCII characters, or is too long.
    """
    odd = {each for each in key if not "!" <= each <= "~"}
    if odd:
        found = "blanks or line breaks" if odd <= set(" \t\r\n") else "other characters"
    elif len(key) > KEY_LENGTH_MAX:
        found = f"{len(key):,} characters"
    else:
        return
    raise RecipeError(
        "the key can't be sent",
        where=variable,
        expected=f"at most {KEY_LENGTH_MAX:,} visible ASCII characters",
        found=found,
        hint=f"export {variable} again, without quotes or a line break in it",
    )


def full_address(url: str) -> str:
    """Return the address of the chat completions; the query stays at the end."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    return urlunsplit(parts._replace(path=path if path.endswith(PATH) else path + PATH))


def shown_address(url: str) -> str:
    """Return the full address with the values of its query masked."""
    parts = urlsplit(full_address(url))
    return urlunsplit(parts._replace(query=_masked_query(parts.query)))


def _masked_query(query: str) -> str:
    named = (part.partition("=") for part in query.split("&") if part)
    return "&".join(f"{name}={MASK}" if equals else MASK for name, equals, _ in named)


def _masked_text(text: str) -> str:
    """Return what was meant to be an address without a password or the values of a query."""
    plain = re.sub(r"^(\w+://)?.*@", rf"\1{MASK}@", text, flags=re.DOTALL)
    head, mark, query = plain.partition("?")
    return f"{head}{mark}{_masked_query(query)}"


def secrets_of(url: str, key: str | None) -> list[str]:
    """Return what must not be shown, the longest first."""
    query = urlsplit(url).query
    values = [value for _, value in parse_qsl(query) if len(value) >= SECRET_LENGTH_MIN]
    raw = [part.partition("=")[2] if "=" in part else part for part in query.split("&")]
    long = [value for value in raw if len(unquote(value)) >= SECRET_LENGTH_MIN]
    return sorted({*values, *long, *([key] if key else [])}, key=len, reverse=True)


def is_aws(url: str) -> bool:
    """Return whether the host is one of Bedrock's."""
    host = urlsplit(url).hostname or ""
    return "bedrock" in host and host.endswith(AWS_HOSTS)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
        (parts.hostname or "").encode("idna")
    except ValueError:  # brackets that don't match, a port that is no number, a label too long
        return None
    return parts


def _refused(what: str, url: str) -> RecipeError:
    return RecipeError(
        what,
        where="--endpoint",
        expected="https://host/v1, or http://localhost:port/v1; a key goes into the environment",
        found=_masked_text(url),
    )
