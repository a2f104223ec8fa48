"""Pages of a list: so many at a time, and a token that says where the next page begins.

The token names the position and the list's length is free to grow at the front: it counts from
the end, so that a job created meanwhile shifts nothing.
Sources: AWS pagination (maxResults, nextToken).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from sim.server.errors import AwsError

T = TypeVar("T")


def page(
    items: Sequence[T],
    *,
    size: int,
    token: str | None,
    invalid: str = "ValidationException",
    name: str = "nextToken",
) -> tuple[list[T], str | None]:
    """Return one page and the token of the next, None on the last.

    Raises:
        AwsError: the token is none of ours.
    """
    start = 0 if token is None else len(items) - _left(token, invalid=invalid, name=name)
    start = max(0, start)
    end = start + size
    left = len(items) - end
    following = base64.urlsafe_b64encode(f"left:{left}".encode()).decode() if left > 0 else None
    return list(items[start:end]), following


def _left(token: str, *, invalid: str, name: str) -> int:
    try:
        word, _, number = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        if word == "left" and number.isdecimal():
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise AwsError(invalid, f"1 validation error detected: {name} is not one of this endpoint's")
