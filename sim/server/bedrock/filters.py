"""What Bedrock's list operations have in common: when things were made, and in which order.

Sources: botocore service model bedrock/2023-04-20.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def within(created: float, params: Mapping[str, Any], *, after: str = "", before: str = "") -> bool:
    """Whether something was made in the time the request names."""
    earliest = params.get(after or "creationTimeAfter")
    latest = params.get(before or "creationTimeBefore")
    return (earliest is None or created > earliest) and (latest is None or created < latest)


def in_order(newest_first: Sequence[T], params: Mapping[str, Any]) -> Sequence[T]:
    """Turn the list round where the oldest is wanted first."""
    is_ascending = params.get("sortOrder") == "Ascending"
    return newest_first[::-1] if is_ascending else newest_first
