"""What is wrong with one value of a request, said the way botocore says it.

Deliberately knows neither files nor lines: the recipe adds where the value stands.
Sources: the form of botocore's parameter validation messages.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Keys = tuple[str | int, ...]
# Plain data as YAML, JSON and boto3 carry it: None, flags, numbers, strings, lists, mappings.
Plain = Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One value that Bedrock would refuse; `rehearsable` if a laptop can train with it anyway."""

    path: str
    """Dotted, list positions as numbers."""
    value: Plain
    rule: str
    """What is expected instead."""
    source: str
    """Who says so."""
    problem: str
    rehearsable: bool = True
    hint: str | None = None

    def __str__(self) -> str:
        return f"{self.path}, value: {self.value!r}, expected: {self.rule} ({self.source})"

    @property
    def keys(self) -> Keys:
        """The path in pieces."""
        return tuple(int(key) if key.isdecimal() else key for key in self.path.split("."))


def dotted(keys: Keys) -> str:
    """Write a path the way --set and botocore do."""
    return ".".join(str(key) for key in keys)


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Find the likeliest right spelling, ignoring case."""
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """Phrase the nearest spelling as a next step."""
    match = nearest(word, candidates)
    return f"did you mean {match}?" if match else None


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
