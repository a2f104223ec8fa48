"""What is to be graded again: answers in batches, from a JSONL or a CSV, in little memory.

Only the ids are kept, so that two answers to one prompt can be kept apart.
A record holds `answer`, or `messages` that end in an assistant turn; its prompt is `messages` or
`prompt`, or the row of that id in the data.
It repairs nothing: a record without an answer is an error that names its line.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bedrock_rft_sim.data import Row, read_records, row_from_record
from bedrock_rft_sim.data.plan import Split
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.files import named_errors
from bedrock_rft_sim.grader.samples import Sample, answered
from bedrock_rft_sim.runs.rollouts import Rollout

BATCH_ANSWERS = 256
ASSISTANT_ROLES = ("assistant", "nova_assistant")
NO_ANSWER = object()
CSV_SUFFIX = ".csv"

Rows = Mapping[str, Row]


@dataclass(frozen=True, slots=True)
class SavedAnswer:
    """One answer; its sample's id is unique within an event."""

    id: str
    """As the source has it."""
    text: str
    sample: Sample


@dataclass(frozen=True)
class Batch:
    """Answers that are graded together; those of a run are one step's, with their rollouts."""

    answers: tuple[SavedAnswer, ...]
    rollouts: tuple[Rollout, ...] = ()
    """In the order of the answers; empty where there is no run."""
    split: Split = "train"

    @property
    def recorded(self) -> list[float | None]:
        """The grades on record, in the order of the answers."""
        if not self.rollouts:
            return [None] * len(self.answers)
        return [float(rollout.grade) for rollout in self.rollouts]


def file_batches(path: Path, rows: Rows) -> Iterator[Batch]:
    """Yield the file's answers in its order; `rows` fill in prompts and references by id.

    Raises:
        DataError: the file or one of its records can't be used; names the line.
    """
    is_csv = path.suffix.lower() == CSV_SUFFIX
    records = _csv_records(path) if is_csv else read_records(path)
    names = UniqueNames()
    answers = (
        _answer(record, source=str(path), line=line, rows=rows, names=names)
        for line, record in records
    )
    while batch := tuple(itertools.islice(answers, BATCH_ANSWERS)):
        yield Batch(batch)


class UniqueNames:
    """Gives every answer a name of its own: the second `a` becomes `a#1`."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def take(self, name: str) -> str:
        """Return the name, or the name with the first free number."""
        if name not in self._taken:
            self._taken[name] = 0
            return name
        while True:
            self._taken[name] += 1
            numbered = f"{name}#{self._taken[name]}"
            if numbered not in self._taken:
                self._taken[numbered] = 0
                return numbered


def _answer(
    record: Mapping[str, Any], *, source: str, line: int, rows: Rows, names: UniqueNames
) -> SavedAnswer:
    record, turn = _taken_apart(record, where=f"{source}:{line}")
    row = _row(record, source=source, line=line, rows=rows)
    return SavedAnswer(row.id, plain_text(turn["content"]), answered(row, turn, names.take(row.id)))


def _taken_apart(record: Mapping[str, Any], *, where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the record without its answer, and the answer as an assistant turn."""
    rest = dict(record)
    answer = rest.pop("answer", NO_ANSWER)
    given = rest.get("messages")
    messages = given if isinstance(given, list) else []
    last = messages[-1] if messages else None
    if isinstance(last, dict) and last.get("role") in ASSISTANT_ROLES:
        if answer is not NO_ANSWER:
            raise _refused("the record holds two answers", where, found="answer, and a last turn")
        rest["messages"], turn = messages[:-1], last
    else:
        if answer is NO_ANSWER:
            raise _refused("the record holds no answer", where, found=", ".join(rest) or "nothing")
        turn = {"role": "assistant", "content": answer}
    if not _is_content(turn.get("content")):
        raise _refused("the answer is no text", where, found=repr(turn.get("content"))[:80])
    return rest, turn


def _refused(what: str, where: str, *, found: str) -> DataError:
    return DataError(
        what,
        where=where,
        expected='"answer": a string, or messages that end in an assistant turn',
        found=found,
    )


def _is_content(content: object) -> bool:
    if isinstance(content, list):
        return all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content)
    return isinstance(content, str)


def plain_text(content: str | Iterable[Mapping[str, Any]]) -> str:
    """Return the text of a message's content."""
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _row(record: dict[str, Any], *, source: str, line: int, rows: Rows) -> Row:
    known = rows.get(str(record.get("id")))
    prompt = record.get("prompt")
    if "messages" not in record and isinstance(prompt, str):
        del record["prompt"]
        record["messages"] = [{"role": "user", "content": prompt}]
    if known is None and "messages" not in record:
        raise DataError(
            "the record holds no prompt",
            where=f"{source}:{line} (id {record.get('id')!r})",
            expected="messages, a prompt, or an id that --data knows",
            found=", ".join(record) or "nothing",
            hint="give the file that the prompts came from with --data",
        )
    if known is not None:
        record.setdefault("messages", list(known.messages))
        if known.reference_answer is not None:
            record.setdefault("reference_answer", known.reference_answer)
        record = {**known.extra, **record}
    return row_from_record(record, source=source, line=line)


def _csv_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and record; an empty cell is an absent key, but for the answer."""
    found = False
    try:
        with (
            named_errors(path, "read the file", kind=DataError),
            path.open(newline="", encoding="utf-8-sig") as file,
        ):
            reader = csv.DictReader(file, strict=True)
            for cells in reader:
                found = True
                yield reader.line_num, _csv_record(cells, where=f"{path}:{reader.line_num}")
    except csv.Error as error:
        raise DataError(
            "the file is no CSV",
            where=str(path),
            expected="a line of column names (id, prompt or messages, answer, reference_answer)",
            found=str(error),
        ) from error
    if not found:
        raise DataError("the file holds no record", where=str(path))


def _csv_record(cells: Mapping[str | None, Any], *, where: str) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for name, cell in cells.items():
        if name is None or cell is None:
            raise DataError("the line has more or fewer cells than there are columns", where=where)
        if cell or name == "answer":
            record[name] = cell
    if "messages" in record:
        record["messages"] = _json_cell(record["messages"], where=f"{where}, messages")
    reference = record.get("reference_answer", "")
    if reference.lstrip().startswith("{"):
        record["reference_answer"] = _json_cell(reference, where=f"{where}, reference_answer")
    return record


def _json_cell(text: str, *, where: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError("the cell is not JSON", where=where, found=str(error)) from error
