"""Take a JSONL file apart line by line; a line that is no record is a violation, not the end.

Stricter than `json.loads`: duplicate keys, NaN and infinities are violations, and no line is kept
in memory further than the cap.

Sources: RFC 8259 (JSON); Amazon Bedrock user guide, rft-prepare-data (one object per line).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from bedrock_rft_sim.data.rules import Violation, violation
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.files import named_errors, regular

MAX_LINE_BYTES = 10_000_000
"""Our own cap; an event to the grader can't hold more than 6 MB anyway."""

MAX_LEVELS = 100
"""Our own cap; far below where Python's own stack ends, and far above any tool's JSON schema."""

_PIECE_BYTES = 1 << 16
_BOM = b"\xef\xbb\xbf"

JsonObject = dict[str, Any]


class _NotStrictError(ValueError):
    """JSON as Python reads it, but not as the standard has it; carries the rule's id."""

    def __init__(self, rule: str, found: str) -> None:
        self.rule = rule
        super().__init__(found)


def scan(path: Path) -> Iterator[tuple[int, JsonObject | Violation]]:
    """Yield line number and record, or violation, of every line that holds text.

    A line may bring violations and its record.

    Raises:
        DataError: the file can't be read.
    """
    hint = "check the path; a relative one in a recipe counts from the recipe's own folder"
    with (
        named_errors(
            path, "read the data file", kind=DataError, expected="a JSONL file", hint=hint
        ),
        regular(path) as file,
    ):
        yield from scan_file(file)


def scan_file(file: BinaryIO) -> Iterator[tuple[int, JsonObject | Violation]]:
    """Yield the same from a file that is open already."""
    for number, line in _texts(file):
        if isinstance(line, Violation):
            yield number, line
        else:
            yield from _taken_apart(number, line)


def _texts(file: BinaryIO) -> Iterator[tuple[int, bytes | Violation]]:
    """Yield numbered lines that hold text; blank ones are fine at the end only."""
    blank: int | None = None
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            found = f"over {MAX_LINE_BYTES:,} bytes"
            yield number, violation("line-length", found, line=number)
            if not line.endswith(b"\n"):
                _skip_rest(file)
        elif not line.strip():
            blank = blank or number
        else:
            if blank is not None:
                yield blank, violation("no-blank-lines", "no text", line=blank)
                blank = None
            yield number, line


def _skip_rest(file: BinaryIO) -> None:
    while (piece := file.readline(_PIECE_BYTES)) and not piece.endswith(b"\n"):
        pass


def _taken_apart(number: int, line: bytes) -> Iterator[tuple[int, JsonObject | Violation]]:
    if number == 1 and line.startswith(_BOM):
        yield number, violation("no-byte-order-mark", "EF BB BF", line=number)
        line = line[len(_BOM) :]
    if line.endswith(b"\r\n"):
        yield number, violation("line-feeds", "0D 0A", line=number)
    yield number, _record(number, line)


def _record(number: int, line: bytes) -> JsonObject | Violation:
    try:
        value = json.loads(
            line.decode("utf-8"),
            object_pairs_hook=_unique_keys,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except UnicodeDecodeError as error:
        found = f"byte 0x{line[error.start]:02X} at column {error.start + 1}"
        return violation("utf-8", found, line=number)
    except json.JSONDecodeError as error:
        rule = "no-nul" if b"\x00" in line else "json"
        return violation(rule, f"{error.msg} at column {error.colno}", line=number)
    except _NotStrictError as error:
        return violation(error.rule, str(error), line=number)
    except ValueError as error:  # Python's own limit of digits
        return violation("finite-numbers", str(error), line=number)
    except RecursionError:
        return violation("nesting", "no end of levels", line=number)
    if line.count(b"[") + line.count(b"{") > MAX_LEVELS and _levels(value) > MAX_LEVELS:
        return violation("nesting", f"over {MAX_LEVELS} levels", line=number)
    if not isinstance(value, dict):
        return violation("object", type(value).__name__, line=number)
    return value


def _levels(value: Any) -> int:
    """Return how deep lists and objects stand in each other, up to one more than the cap."""
    level, count = [value], 0
    while level and count <= MAX_LEVELS:
        inner: list[Any] = []
        for each in level:
            inner += each.values() if isinstance(each, dict) else each
        level = [each for each in inner if isinstance(each, dict | list)]
        count += 1
    return count


def _unique_keys(pairs: list[tuple[str, Any]]) -> JsonObject:
    found: JsonObject = {}
    for key, value in pairs:
        if key in found:
            raise _NotStrictError("keys-once", f"the key {key!r} twice in one object")
        found[key] = value
    return found


def _no_constant(name: str) -> float:
    raise _NotStrictError("finite-numbers", f"the constant {name}, which is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _NotStrictError("finite-numbers", f"the number {text[:20]}, too large for a float")
    return value
