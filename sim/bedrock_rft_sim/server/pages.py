"""Pages of a list: so many at a time, and a token that says where the next one begins.

The token holds the sort key of the last item shown, neither a position nor the item itself: what is
made or deleted meanwhile shifts nothing.
Sources: AWS pagination (maxResults, nextToken).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from bedrock_rft_sim.server.errors import AwsError, detected

T = TypeVar("T")
Key = tuple[str | float, ...]


@dataclass(frozen=True, slots=True)
class Paging:
    """How the list operations of one service name what they all have."""

    size: str
    token: str
    default: int
    """Items, where the request does not say."""
    invalid: str
    """The error's name for a token that is none of ours."""


BEDROCK: Final = Paging("maxResults", "nextToken", 100, "ValidationException")
LAMBDA: Final = Paging("MaxItems", "Marker", 50, "InvalidParameterValueException")


def page(
    items: Iterable[T],
    params: Mapping[str, Any],
    *,
    paging: Paging = BEDROCK,
    key: Callable[[T], Key],
    is_ascending: bool = True,
) -> tuple[list[T], str | None]:
    """Return the items that a request's page shows, in the order of `key`, and the next token.

    No two items have the same key, and an item keeps its own; the last page has no token.

    Raises:
        AwsError: the token is none of ours.
    """
    found = sorted(items, key=key, reverse=not is_ascending)
    token, size = params.get(paging.token), params.get(paging.size, paging.default)
    if token is not None:
        try:
            last = _decoded(token)
            found = [one for one in found if (key(one) > last if is_ascending else key(one) < last)]
        except (TypeError, ValueError, RecursionError):
            words = f"{paging.token} is not one of this endpoint's"
            raise AwsError(paging.invalid, detected([words])) from None
    shown = found[:size]
    return shown, _encoded(key(shown[-1])) if len(found) > size else None


def bedrock_page(
    items: Iterable[T], params: Mapping[str, Any], *, key: Callable[[T], Key]
) -> tuple[list[T], str | None]:
    """Return a page of a list of Bedrock's, which is sorted as the request says."""
    return page(items, params, key=key, is_ascending=params.get("sortOrder") == "Ascending")


def lambda_page(
    name: str, items: Iterable[T], params: Mapping[str, Any], *, key: Callable[[T], Key]
) -> dict[str, Any]:
    """Return the output of a list operation of Lambda, whose items stand under `name`."""
    shown, following = page(items, params, paging=LAMBDA, key=key)
    return {name: shown, "NextMarker": following}


def is_within(created: float, params: Mapping[str, Any], *, named: str = "creationTime") -> bool:
    """Whether something was made in the time the request names, exclusive at both ends."""
    after, before = params.get(f"{named}After"), params.get(f"{named}Before")
    return (after is None or created > after) and (before is None or created < before)


def _encoded(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _decoded(token: str) -> Key:
    found: Any = json.loads(base64.urlsafe_b64decode(token.encode()))
    if not isinstance(found, list) or not found:
        raise ValueError(token)
    return tuple(found)
