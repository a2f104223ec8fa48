"""Rows with a good reply, its final value, and a reply that looks like it but is wrong.

The value is what the reference boils down to (a number, a letter, a short text), and only where the
good reply holds it; a reply without one is made wrong by taking another row's.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bedrock_rft_sim.data import Row
from bedrock_rft_sim.grader.good_replies import REFERENCE_KEYS
from bedrock_rft_sim.grader.samples import Sample, answered

VALUE_CHARS = 40
SHOWN_OTHERS = 64  # rows looked at to find one with another answer


@dataclass(frozen=True)
class AuditedRow:
    """One row as the audit uses it."""

    data_row: Row
    good: str
    value: str | None
    far: str | None
    """A value of the same kind that no tolerance takes for this one."""
    wrong: str | None
    """The good reply with the far value, else another row's reply."""
    other: str | None
    """The good reply of a row with another answer."""
    turn: int
    """Its number, by which variants take turns."""

    def answer(self, text: str, *, kind: str = "") -> Sample:
        """The row answered with this text."""
        return answer_row(self.data_row, text, kind=kind)

    def with_value(self, value: str) -> str | None:
        """The good reply with another value in every place of its own."""
        return None if self.value is None else _placed(self.value).sub(lambda _: value, self.good)

    def line_with(self, value: str) -> str | None:
        """The last line that states the value, with another one in its place."""
        if self.value is None:
            return None
        pattern = _placed(self.value)
        lines = [line for line in self.good.splitlines() if pattern.search(line)]
        return pattern.sub(lambda _: value, lines[-1]) if lines else None


def turn_text(turn: Mapping[str, Any]) -> str:
    """What a turn says, its parts put together."""
    content = turn.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return content if isinstance(content, str) else ""


def answer_row(row: Row, text: str, *, kind: str = "") -> Sample:
    """The row answered with this text, under an id that says what kind of answer it is."""
    return answered(row, text, f"{row.id}#{kind}" if kind else row.id)


def draw_rows(
    known: Sequence[tuple[Row, str]], count: int, *, others: Sequence[tuple[Row, str]], seed: int
) -> list[AuditedRow]:
    """At most `count` of the rows, drawn by seed; each with a wrong reply where one can be made.

    `others` are all rows with a good reply; another row's answer is taken from them.
    """
    rng = random.Random(f"audit:{seed}")  # noqa: S311 - reproducible, not secret
    drawn = list(known) if len(known) <= count else rng.sample(list(known), count)
    pool = rng.sample(list(others), len(others))
    return [
        _audited_row(row, good, pool, turn=turn, rng=rng) for turn, (row, good) in enumerate(drawn)
    ]


def final_value(reference: object) -> str | None:
    """What a reference boils down to, where that is short."""
    if isinstance(reference, Mapping):
        key = next((name for name in REFERENCE_KEYS if reference.get(name) is not None), None)
        return None if key is None else final_value(reference[key])
    if isinstance(reference, bool) or not isinstance(reference, str | int | float):
        return None
    text = str(reference).rpartition("####")[2].strip()
    return text if text and len(text) <= VALUE_CHARS and "\n" not in text else None


def change_all(value: str) -> str | None:
    """Another number far off: every digit changed and one put in front."""
    first = re.search("[0-9]", value)
    if first is None:
        return None
    changed = re.sub("[0-9]", lambda digit: str(int(digit[0]) % 9 + 1), value)
    return f"{changed[: first.start()]}9{changed[first.start() :]}"


def change_digit(value: str, turn: int) -> str | None:
    """Another value that looks like it: the first or the last digit changed, or one appended."""
    places = [index for index, sign in enumerate(value) if sign in "0123456789"]
    if not places:
        return None
    if turn % 3 == 2:  # noqa: PLR2004 - the third of three ways
        return value[: places[-1] + 1] + "1" + value[places[-1] + 1 :]
    significant = [index for index in places if value[index] != "0"] or places
    index = significant[0] if turn % 3 == 0 else places[-1]
    changed = str(int(value[index]) % 9 + 1)
    return value[:index] + changed + value[index + 1 :]


def _audited_row(
    row: Row, good: str, others: Sequence[tuple[Row, str]], *, turn: int, rng: random.Random
) -> AuditedRow:
    value = final_value(row.reference_answer)
    if value is not None and not _placed(value).search(good):
        value = None
    start = rng.randrange(len(others))
    shown = [others[(start + step) % len(others)] for step in range(min(SHOWN_OTHERS, len(others)))]
    other = next((each for each in shown if _differs(each, row, good)), None)
    far = None if value is None else _far(value, other)
    reply = other[1] if other else None
    placed = None if value is None or far is None else _placed(value).sub(lambda _: far, good)
    return AuditedRow(row, good, value, far, placed or reply, reply, turn)


def _far(value: str, other: tuple[Row, str] | None) -> str | None:
    changed = change_all(value)
    if changed is not None or other is None:
        return changed
    return final_value(other[0].reference_answer)


def _differs(other: tuple[Row, str], row: Row, good: str) -> bool:
    mine, theirs = final_value(row.reference_answer), final_value(other[0].reference_answer)
    if mine is not None and theirs is not None:
        one, two = f" {_plain(mine)} ", f" {_plain(theirs)} "
        return one not in two and two not in one
    return other[1].strip() != good.strip() and other[0].reference_answer != row.reference_answer


def _plain(value: str) -> str:
    """Words and numbers only, so that "(D)" is "D" and "$1,000." is "1000"."""
    without = re.sub(r"(?<=\d),(?=\d)", "", value.casefold())
    return " ".join(re.findall(r"-?\d+(?:\.\d+)?|\w+", without))


def _placed(value: str) -> re.Pattern[str]:
    """The value where it stands by itself: 25 is in "25ml", not in a longer number or word."""
    if change_digit(value, 0) is not None:
        return re.compile(rf"(?<![0-9])(?<![0-9][.,]){re.escape(value)}(?![0-9]|[.,][0-9])")
    return re.compile(rf"(?<![\w.,]){re.escape(value)}(?!\w|[.,]\d)")
