"""JSON text, whole or line by line, with one message where it is damaged.

It knows no metric. A value comes with where it stood, for the messages of later readers.
"""

from __future__ import annotations

import json
from typing import Any, Final

from bedrock_rft_sim.errors import DataError

Placed = tuple[str, Any]
"""Where a value stood, and the value."""
NOT_JSON: Final = object()


def values(text: str, *, where: str) -> list[Placed]:
    """Return the one JSON value of the text, or the value of each of its lines.

    Raises:
        DataError: it is neither JSON nor JSON lines.
    """
    try:
        return [(where, json.loads(text))]
    except json.JSONDecodeError as error:
        lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
        if len(lines) == 1 or not isinstance(_read(lines[0][1]), dict | list):
            raise _damaged(where, error.lineno, error.msg) from error
    except RecursionError as error:
        raise _damaged(where, 1, "brackets nested too deep") from error
    except ValueError as error:  # a number of thousands of digits
        raise _damaged(where, 1, str(error)) from error
    found = [(n, line, _read(line)) for n, line in lines]
    for n, line, value in found:
        if value is NOT_JSON:
            is_last = n == lines[-1][0]
            raise _damaged(where, n, "a half-written last line" if is_last else repr(line[:60]))
    return [(f"{where}:{n}", value) for n, _, value in found]


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
