"""What Bedrock's list operations have in common: when things were made, and in which order.

Sources: botocore service model bedrock/2023-04-20.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def within(created: float, params: Mapping[str, Any], *, after: str = "", before: str = "") -> bool:
    """Whether something was made in the time the request names."""
    earliest = params.get(after or "creationTimeAfter")
    latest = params.get(before or "creationTimeBefore")
    return (earliest is None or created > earliest) and (latest is None or created < latest)


def is_ascending(params: Mapping[str, Any]) -> bool:
    """Whether the oldest is wanted first."""
    return params.get("sortOrder") == "Ascending"
