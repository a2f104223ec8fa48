"""Read a JSONL file row by row, in memory that does not grow with the file's text.

Stricter than `json.loads`: duplicate keys, NaN and infinities are errors, and no line is read
further than the cap. Only the ids are kept, to find duplicates.

Sources: RFC 8259 (JSON); Amazon Bedrock user guide, rft-prepare-data (one object per line).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from sim.dataset.row import Row, row_from_record
from sim.errors import DataError

MAX_LINE_BYTES = 10_000_000
"""Our own cap; an event to the grader can't hold more than 6 MB anyway."""

_BOM = b"\xef\xbb\xbf"


class _NotJsonError(ValueError):
    """JSON as Python reads it, but not as the standard has it."""


def read_rows(path: str | Path) -> Iterator[Row]:
    """Yield the rows of the file in order.

    Raises:
        DataError: the file or one of its records can't be used; names line and id.
    """
    lines_of_id: dict[str, int] = {}
    for number, record in read_records(path):
        row = row_from_record(record, source=str(path), line=number)
        _check_unique(row, lines_of_id)
        yield row


def read_records(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and object of every line, whatever keys the objects hold.

    Raises:
        DataError: the file can't be read, a line is no strict JSON object, or there is none.
    """
    path = Path(path)
    found = False
    try:
        with path.open("rb") as file:
            for number, line in _lines(file, path):
                found = True
                yield number, _record(line, path, number)
    except OSError as error:
        raise _unreadable(path, error) from error
    if not found:
        raise DataError(
            "the file holds no record",
            where=str(path),
            expected="one JSON object per line",
            found=f"{path.stat().st_size} bytes",
            hint="check that the file was written to its end",
        )


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(
        "the data file can't be read",
        where=str(path),
        expected="a JSONL file",
        found=error.strerror or str(error),
        hint="check the path; a relative one counts from the recipe's own folder",
    )


def _lines(file: BinaryIO, path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield numbered lines; blank ones are fine at the end only."""
    blank: int | None = None
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            raise _broken(path, number, "the line is too long", f"over {MAX_LINE_BYTES:,} bytes")
        if not line.strip():
            blank = blank or number
            continue
        if blank is not None:
            raise _broken(path, blank, "a blank line stands between records", "no text")
        yield number, line


def _record(line: bytes, path: Path, number: int) -> dict[str, Any]:
    if number == 1 and line.startswith(_BOM):
        raise _broken(path, 1, "the file starts with a byte order mark", "EF BB BF")
    try:
        value = json.loads(
            line.decode("utf-8"),
            object_pairs_hook=_unique_keys,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except UnicodeDecodeError as error:
        found = f"byte 0x{line[error.start]:02X} at column {error.start + 1}"
        raise _broken(path, number, "the line is not UTF-8", found) from error
    except json.JSONDecodeError as error:
        found = f"{error.msg} at column {error.colno}"
        raise _broken(path, number, "the line is not JSON", found) from error
    except ValueError as error:  # ours, and Python's own limit of digits
        raise _broken(path, number, "the line is not strict JSON", str(error)) from error
    except RecursionError as error:
        raise _broken(path, number, "the JSON is nested too deeply", "endless nesting") from error
    if not isinstance(value, dict):
        raise _broken(path, number, "the line is not an object", f"{type(value).__name__}")
    return value


def _broken(path: Path, number: int, what: str, found: str) -> DataError:
    return DataError(
        what,
        where=f"{path}:{number}",
        expected="one JSON object per line, in UTF-8, without blank lines between",
        found=found,
        hint="write the file again with one json.dumps(record) per line",
    )


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _NotJsonError(f"the key {key!r} twice in one object")
        found[key] = value
    return found


def _no_constant(name: str) -> float:
    raise _NotJsonError(f"the constant {name}, which is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _NotJsonError(f"the number {text[:20]}, too large for a float")
    return value


def _check_unique(row: Row, lines_of_id: dict[str, int]) -> None:
    first = lines_of_id.setdefault(row.id, row.line)
    if first != row.line:
        raise DataError(
            "the id is not unique",
            where=f"{row.source}:{row.line} (id {row.id!r})",
            expected="an id of its own for every record",
            found=f"the same id on line {first}",
            hint="give each record its own id, or leave all ids out",
        )
