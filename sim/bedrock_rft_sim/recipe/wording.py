"""How messages name keys, values and their types, and the likeliest right spelling.

Deliberately knows neither files nor lines: whoever raises adds where the value stands.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Final

Keys = tuple[str | int, ...]
WORD_MAX: Final = 100
"""Longer words resemble no key, and comparing them would take long."""
# Plain data as YAML, JSON and boto3 carry it: None, flags, numbers, strings, lists, mappings.
Plain = Any


def dotted(keys: Keys) -> str:
    """Write a path the way --set and botocore do."""
    return ".".join(str(key) for key in keys)


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """Name the likeliest right spelling, ignoring case, as a next step."""
    if len(word) > WORD_MAX:
        return None
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"did you mean {by_lower[found[0]]}?" if found else None


def shown(value: Plain, *, limit: int = 120) -> str:
    """Write a value the way JSON would, short enough for one line."""
    words = {None: "null", True: "true", False: "false"}
    text = words[value] if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def described(value: Plain) -> str:
    """Name a value and its type, for messages about a wrong type."""
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "list"}
    kind = "null" if value is None else names.get(type(value), "mapping")
    return "null" if value is None else f"{shown(value)} ({kind})"
