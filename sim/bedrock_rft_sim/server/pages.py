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
LOGS: Final = Paging("limit", "nextToken", 10_000, "InvalidParameterException")
LOGS_DESCRIBED: Final = Paging("limit", "nextToken", 50, "InvalidParameterException")


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
        last = decode_key(token, paging=paging)
        try:
            found = [one for one in found if (key(one) > last if is_ascending else key(one) < last)]
        except TypeError:
            raise _not_ours(paging) from None
    shown = found[:size]
    return shown, encode_key(key(shown[-1])) if len(found) > size else None


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


def encode_key(key: Key) -> str:
    """Return the token of a sort key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def decode_key(token: str, *, paging: Paging) -> Key:
    """Return the sort key of a token.

    Raises:
        AwsError: the token is none of ours.
    """
    try:
        found: Any = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, RecursionError):
        raise _not_ours(paging) from None
    if not isinstance(found, list) or not found:
        raise _not_ours(paging)
    return tuple(found)


def _not_ours(paging: Paging) -> AwsError:
    words = f"{paging.token} is not one of this endpoint's"
    return AwsError(paging.invalid, detected([words]))
