"""The prompts of a run as lines of a file, so that a report or another grading needs nothing else.

One line per training or validation record: what the handler is sent besides the model's answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from bedrock_rft_sim.data import Row

Split = Literal["train", "validation"]


def to_lines(split: Split, rows: Iterable[Row]) -> Iterator[str]:
    """Return a line of JSON for each row; the same rows give the same bytes."""
    for row in rows:
        record: dict[str, Any] = {"set": split, "id": row.id, "messages": row.messages}
        if row.reference_answer is not None:
            record["reference_answer"] = row.reference_answer
        yield json.dumps({**record, "extra": row.extra}, separators=(",", ":")) + "\n"


def from_lines(lines: Iterable[Mapping[str, Any]], *, source: Path) -> dict[tuple[str, str], Row]:
    """Return the rows by set and id."""
    rows = {}
    for number, line in enumerate(lines, start=1):
        row = Row(
            id=str(line.get("id")),
            messages=tuple(m for m in line.get("messages") or () if isinstance(m, dict)),
            reference_answer=line.get("reference_answer"),
            extra=dict(line.get("extra") or {}),
            source=str(source),
            line=number,
        )
        rows[str(line.get("set")), row.id] = row
    return rows
