"""JSON text, whole or line by line; a line that is no JSON does not end its neighbours.

It knows no metric. A value comes with where it stood, for the messages of later readers.
"""

from __future__ import annotations

import json
from typing import Any, Final

from bedrock_rft_sim.errors import DataError

Placed = tuple[str, Any]
"""Where a value stood, and the value."""
NOT_JSON: Final = object()


def values(text: str, *, where: str) -> tuple[list[Placed], list[str]] | None:
    """Return the JSON value of the text, or of each line, and which lines are none; else None."""
    whole = _read(text)
    if whole is not NOT_JSON:
        return [(where, whole)], []
    lines = ((n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip())
    read = [(f"{where}:{n}", line, _read(line)) for n, line in lines]
    if len(read) == 1 or not any(isinstance(value, dict | list) for _, _, value in read):
        return None
    unread = [f"{place}: {line[:60]!r}" for place, line, value in read if value is NOT_JSON]
    return [(place, value) for place, _, value in read if value is not NOT_JSON], unread


def damage(text: str, *, where: str) -> DataError | None:
    """Return what is wrong with text that begins as JSON, or None where it is JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return _damaged(where, error.lineno, error.msg)
    except RecursionError:
        return _damaged(where, 1, "brackets nested too deep")
    except ValueError as error:  # a number of thousands of digits
        return _damaged(where, 1, str(error))
    return None


def _read(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return NOT_JSON


def _damaged(where: str, line: int, found: str) -> DataError:
    return DataError(
        "is no JSON, or was cut short",
        where=f"{where}:{line}",
        expected="a JSON document, or one JSON object per line",
        found=found,
        hint="save it again; a file that was cut looks like a shorter run",
    )
