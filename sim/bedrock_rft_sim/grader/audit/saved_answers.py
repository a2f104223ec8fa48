"""Answers by row id, from JSONL of `id` and `answer`: good replies, or what a model wrote."""

from __future__ import annotations

from pathlib import Path

from bedrock_rft_sim.data import read_records
from bedrock_rft_sim.errors import DataError


def read_answers(path: Path) -> list[tuple[str, str]]:
    """The answers in their order, several per id allowed.

    Raises:
        DataError: the file can't be read, or a line has no id or no answer.
    """
    return [_answer(record, f"{path}:{line}") for line, record in read_records(path)]


def read_replies(path: Path) -> dict[str, str]:
    """One good reply per id.

    Raises:
        DataError: as for `read_answers`, or an id is there twice.
    """
    replies: dict[str, str] = {}
    for name, answer in read_answers(path):
        if name in replies:
            raise DataError("two good replies for one row", where=str(path), found=repr(name))
        replies[name] = answer
    return replies


def _answer(record: dict[str, object], where: str) -> tuple[str, str]:
    name, answer = record.get("id"), record.get("answer")
    if not isinstance(name, str) or not isinstance(answer, str):
        raise DataError(
            "an answer can't be read",
            where=where,
            expected='{"id": <the row\'s id>, "answer": <text>}',
            found="the keys " + ", ".join(map(repr, record)),
        )
    return name, answer
