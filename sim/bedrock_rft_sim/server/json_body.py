"""Read JSON from a client: no deeper and no wider than anything real, no duplicate keys, no NaN.

What is refused is refused here, once: a string that has no UTF-8 could be neither stored nor sent.
Sources: RFC 8259 (§8.1: UTF-8; §8.2: half a surrogate pair); the limits are our own caps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

MAX_LEVELS: Final = 100
MAX_VALUES: Final = 1_000_000
"""So many take up to a second and 150 MB; commas inside strings count, being quicker to count."""
_HALF_A_PAIR: Final = re.compile("[\ud800-\udfff]")


def parse_json(data: bytes) -> Any:
    """Return the value; takes a second for the largest body, so never call it on the event loop.

    Raises:
        ValueError: it is no JSON, or JSON of a kind that is refused.
    """
    # Every value but the outermost follows one of these.
    if sum(map(data.count, (b",", b"[", b"{", b":"))) > MAX_VALUES:
        raise ValueError(f"more than {MAX_VALUES:,} values")
    try:
        value = json.loads(data, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_LEVELS} levels") from None
    _refuse_deep(value)
    return value


def parse_object(data: bytes) -> dict[str, Any]:
    """Return the value, a JSON object; see `parse_json`.

    Raises:
        ValueError: it is none.
    """
    value = parse_json(data)
    if not isinstance(value, dict):
        raise ValueError("expected a JSON object")  # noqa: TRY004 - like any other JSON refused
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
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return
    raise ValueError(f"nested deeper than {MAX_LEVELS} levels")


def _inside(value: Any) -> Iterator[Any]:
    """Yield what a value holds, once its strings are known to be text."""
    if isinstance(value, dict):
        for name in value:
            _refuse_half(name)
        yield from value.values()
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, str):
        _refuse_half(value)


def _refuse_half(text: str) -> None:
    found = None if text.isascii() else _HALF_A_PAIR.search(text)
    if found is not None:
        raise ValueError(f"\\u{ord(found[0]):x} is half a surrogate pair and no text")
