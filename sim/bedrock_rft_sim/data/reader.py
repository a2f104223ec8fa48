"""Read a JSONL file row by row, in memory that does not grow with the file's text.

The first violation that blocks is an error. Only the ids are kept, to find duplicates.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bedrock_rft_sim.data.lines import scan
from bedrock_rft_sim.data.row import Row, row_from_record
from bedrock_rft_sim.data.rules import Violation, violation


def read_rows(path: str | Path) -> Iterator[Row]:
    """Yield the rows of the file in order.

    Raises:
        DataError: the file or one of its records can't be used; names line and id.
    """
    ids = Ids()
    for number, record in read_records(path):
        row = row_from_record(record, source=str(path), line=number)
        repeated = ids.repeated(row.id, number)
        if repeated is not None:
            raise repeated.error(str(path))
        yield row


def read_records(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and object of every line, whatever keys the objects hold.

    Raises:
        DataError: the file can't be read, a line is no strict JSON object, or there is none.
    """
    path = Path(path)
    found = False
    for number, seen in scan(path):
        if not isinstance(seen, Violation):
            found = True
            yield number, seen
        elif seen.rule.blocks:
            raise seen.error(str(path))
    if not found:
        raise no_records(path).error(str(path))


def no_records(path: Path) -> Violation:
    """Return the violation of a file without any record."""
    return violation("records-exist", f"{path.stat().st_size} bytes")


class Ids:
    """The ids of a file so far, with their lines."""

    def __init__(self) -> None:
        self._lines: dict[str, int] = {}

    def repeated(self, id_: str, line: int) -> Violation | None:
        """Note the id of this line; return the violation if an earlier line has it too."""
        first = self._lines.setdefault(id_, line)
        if first == line:
            return None
        return violation("id-unique", f"the same id on line {first}", line=line, id_=id_)
