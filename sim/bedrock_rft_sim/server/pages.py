"""Pages of a list: so many at a time, and a token that says where the next one begins.

The token holds the sort key of the last item shown, neither a position nor the item itself: what is
made or deleted meanwhile shifts nothing.
Sources: AWS pagination (maxResults, nextToken).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from bedrock_rft_sim.server.errors import AwsError

T = TypeVar("T")
Key = tuple[str | float, ...]


def page(
    items: Iterable[T],
    *,
    key: Callable[[T], Key],
    is_ascending: bool = True,
    keep: Callable[[T], bool] = lambda _: True,
    size: int,
    token: str | None,
    invalid: str = "ValidationException",
    name: str = "nextToken",
) -> tuple[list[T], str | None]:
    """Return up to `size` items to keep in the order of `key`, and the token of the next page.

    No two items have the same key, and an item keeps its own; the last page has no token.

    Raises:
        AwsError: the token is none of ours.
    """
    found = sorted((item for item in items if keep(item)), key=key, reverse=not is_ascending)
    if token is not None:
        try:
            last = _decoded(token)
            found = [one for one in found if (key(one) > last if is_ascending else key(one) < last)]
        except (TypeError, ValueError, RecursionError):
            words = f"{name} is not one of this endpoint's"
            raise AwsError(invalid, f"1 validation error detected: {words}") from None
    shown = found[:size]
    return shown, _encoded(key(shown[-1])) if len(found) > size else None


def _encoded(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _decoded(token: str) -> Key:
    found: Any = json.loads(base64.urlsafe_b64decode(token.encode()))
    if not isinstance(found, list) or not found:
        raise ValueError(token)
    return tuple(found)
