"""OpenAI's lists: newest first, `limit` and `after`, `has_more`.

Sources: openai Python library, `SyncCursorPage` (the next page is asked for after the last id).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bedrock_rft_sim.server.mantle.errors import OpenAIError, wrong

DEFAULT_LIMIT = 20
MAX_LIMIT = 1000


def page(
    items: Sequence[Mapping[str, Any]],
    query: Mapping[str, str],
    *,
    default: int = DEFAULT_LIMIT,
    most: int = MAX_LIMIT,
) -> dict[str, Any]:
    """Return the page of `items` that the query asks for.

    Raises:
        OpenAIError: `limit` is no number in range, or nothing has the id `after`.
    """
    limit = _limit(query.get("limit"), default, most)
    start = _start(items, query.get("after"))
    shown = list(items[start : start + limit])
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": start + limit < len(items),
    }


def _limit(text: str | None, default: int, most: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= most):
        raise wrong("limit", f"expected a whole number from 1 to {most}, got '{text[:40]}'.")
    return int(text)


def _start(items: Sequence[Mapping[str, Any]], after: str | None) -> int:
    if after is None:
        return 0
    for position, item in enumerate(items):
        if item["id"] == after:
            return position + 1
    raise OpenAIError(f"No such object: {after[:80]}", param="after", code="invalid_cursor")
