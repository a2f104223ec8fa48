"""Read JSON from a client: no deeper than anything real, no duplicate keys, no NaN.

Sources: RFC 8259; the depth is our own cap.
"""

from __future__ import annotations

import json
from typing import Any

MAX_LEVELS = 100


def parse_json(data: bytes) -> Any:
    """Return the value.

    Raises:
        ValueError: it is no JSON, or JSON of a kind that is refused.
    """
    try:
        value = json.loads(data, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_LEVELS} levels") from None
    _refuse_deep(value)
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _refuse_deep(value: Any) -> None:
    level = [value]
    for _ in range(MAX_LEVELS):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise ValueError(f"nested deeper than {MAX_LEVELS} levels")
