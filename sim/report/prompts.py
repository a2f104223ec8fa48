"""The prompts of a run, kept in its folder, so that a report needs nothing else.

One line per training or validation record that can be graded: what the handler is sent besides the
model's answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

from sim.dataset import Row
from sim.runfolder import RunFolder, disk

PROMPTS: Final = "prompts.jsonl"
Kind = Literal["train", "validation"]


def write_prompts(folder: RunFolder, train: Iterable[Row], validation: Iterable[Row]) -> None:
    """Write every row once; the same rows give the same bytes."""
    path = folder.path / PROMPTS
    parts = [*_lines("train", train), *_lines("validation", validation)]
    with disk.named_errors(path, "write the prompts"):
        disk.replace_file(path, "".join(parts).encode(), durable=False)


def _lines(kind: Kind, rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        record: dict[str, Any] = {"set": kind, "id": row.id, "messages": row.messages}
        if row.reference_answer is not None:
            record["reference_answer"] = row.reference_answer
        yield json.dumps({**record, "extra": row.extra}, separators=(",", ":")) + "\n"


def read_prompts(folder: RunFolder) -> dict[tuple[str, str], Row]:
    """Return the rows by set and id; none for a run of a version that kept none.

    Raises:
        RunFolderError: the file is damaged.
    """
    path = folder.path / PROMPTS
    rows = {}
    for number, line in enumerate(disk.read_json_lines(path), start=1):
        row = Row(
            id=str(line.get("id")),
            messages=tuple(m for m in line.get("messages") or () if isinstance(m, dict)),
            reference_answer=line.get("reference_answer"),
            extra=dict(line.get("extra") or {}),
            source=str(path),
            line=number,
        )
        rows[str(line.get("set")), row.id] = row
    return rows
