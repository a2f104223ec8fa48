"""Pages of a list: so many at a time, and a token that says after which item the next begins.

The token names an item and not a position, so that what is made meanwhile shifts nothing.
Sources: AWS pagination (maxResults, nextToken).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from sim.server.errors import AwsError

T = TypeVar("T")


def page(
    items: Sequence[T],
    *,
    key: Callable[[T], str],
    keep: Callable[[T], bool] = lambda _: True,
    size: int,
    token: str | None,
    invalid: str = "ValidationException",
    name: str = "nextToken",
) -> tuple[list[T], str | None]:
    """Return up to `size` items to keep, and the token of the next page, None on the last.

    Raises:
        AwsError: the token is none of ours, or its item is gone.
    """
    start = 0
    if token is not None:
        keys = [key(item) for item in items]
        after = _decoded(token)
        if after not in keys:
            words = f"{name} is not one of this endpoint's, or what it named is gone"
            raise AwsError(invalid, f"1 validation error detected: {words}")
        start = keys.index(after) + 1
    found = [item for item in items[start:] if keep(item)]
    shown = found[:size]
    return shown, _encoded(key(shown[-1])) if len(found) > size else None


def _encoded(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _decoded(token: str) -> str | None:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, ValueError):
        return None
