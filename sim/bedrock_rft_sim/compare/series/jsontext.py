"""JSON text, whole or line by line, with one message where it is damaged.

It knows no metric. A value comes with where it stood, for the messages of later readers.
"""

from __future__ import annotations

import json
from typing import Any

from bedrock_rft_sim.errors import DataError

Placed = tuple[str, Any]
"""Where a value stood, and the value."""


def values(text: str, *, where: str) -> list[Placed]:
    """Return the one JSON value of the text, or the value of each of its lines.

    Raises:
        DataError: it is neither JSON nor JSON lines.
    """
    try:
        return [(where, json.loads(text))]
    except RecursionError as error:
        raise _damaged(where, 1, "brackets nested too deep") from error
    except json.JSONDecodeError as whole:
        lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
        if len(lines) == 1 or not _is_value(lines[0][1]):
            raise _damaged(where, whole.lineno, whole.msg) from whole
        return [(f"{where}:{n}", _line(line, where, n, last=lines[-1][0])) for n, line in lines]
    except ValueError as error:  # a number of thousands of digits
        raise _damaged(where, 1, str(error)) from error


def _is_value(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict | list)
    except (ValueError, RecursionError):
        return False


def _line(line: str, where: str, number: int, *, last: int) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        found = "a half-written last line" if number == last else repr(line[:60])
        raise _damaged(where, number, found) from error


def _damaged(where: str, line: int, found: str) -> DataError:
    return DataError(
        "is no JSON, or was cut short",
        where=f"{where}:{line}",
        expected="a JSON document, or one JSON object per line",
        found=found,
        hint="save it again; a file that was cut can't be told from a run that went otherwise",
    )
