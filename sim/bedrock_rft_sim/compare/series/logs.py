"""Curves from the log lines of SageMaker training jobs (verl) and of HyperPod.

Lines come as text, or as the JSON that the CloudWatch Logs API returns (`events` with `message`).
A line without a step is no step. Sources: aws/nova-forge-sdk log monitor and its tests (the two
published lines); verl tracking (console backend: `step:N - name:value - ...`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

from bedrock_rft_sim.compare.series import names
from bedrock_rft_sim.compare.series.curve import Curves, Gathering, step_number
from bedrock_rft_sim.compare.series.jsontext import Placed

Kind = Literal["verl-log", "hyperpod-log"]
Line = tuple[float, str, str]
"""Time or line number, where it stands, and its text."""

_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_VERL = re.compile(r"(?:^|\s)step:(\d+)((?: - [^\s:]+:\S+)+)")
_HYPERPOD_STEP = re.compile(r"global_step[=:]\s*([\d.]+)")
_HYPERPOD_TOTAL = re.compile(r"iteration (\d+)/(\d+)")
_PAIR: Final = re.compile(r"^\s*([A-Za-z][\w/ .@-]*?)\s*[:=]\s*(\S+)\s*$")
LONGEST_PAIR: Final = 200
"""Characters of a name and its number; what is longer is talk, and slow to match."""


def kind_of(lines: Iterable[str]) -> Kind | None:
    """Return the kind of the first line that is a step's, if any is."""
    for raw in lines:
        line = _COLOR.sub("", raw)
        if _VERL.search(line):
            return "verl-log"
        if _HYPERPOD_STEP.search(line) and "train_rm_score" in line:
            return "hyperpod-log"
    return None


def lines_of_cloudwatch(placed: list[Placed], source: str) -> list[Line] | None:
    """Return the messages of `aws logs get-log-events` or filter-log-events, or None."""
    value: Any = placed[0][1] if len(placed) == 1 else [inside for _, inside in placed]
    records = value.get("events") if isinstance(value, dict) else value
    if not isinstance(records, list) or not records:
        return None
    found: list[Line] = []
    for position, record in enumerate(records, start=1):
        message = record.get("message") if isinstance(record, dict) else None
        if not isinstance(message, str) or "data" in record:
            return None
        time = record.get("timestamp")
        order = float(time) if isinstance(time, int | float) else float(position)
        found.append((order, f"{source}, log event {position}", message))
    return found


def read_log(lines: Iterable[Line], source: str, kind: Kind) -> Curves:
    """Return the curves in a log.

    Raises:
        DataError: no line is a step's, or a metric is no number.
    """
    gathering = Gathering(kind)
    for at, where, raw in lines:
        line = _COLOR.sub("", raw)
        found = _verl(line) if kind == "verl-log" else _hyperpod(line, gathering)
        for step_text, pairs, known in found:
            step = step_number(step_text, where=where)
            gathering.add(step, pairs, known, order=(at, where), where=where)
    return gathering.curves(source)


Found = tuple[str, Iterable[tuple[str, str]], Mapping[str, str]]


def _verl(line: str) -> Iterator[Found]:
    for match in _VERL.finditer(line):
        parts = (part.partition(":") for part in match[2].split(" - ") if part)
        yield match[1], [(name, value) for name, _, value in parts], names.VERL


def _hyperpod(line: str, gathering: Gathering) -> Iterator[Found]:
    step = _HYPERPOD_STEP.search(line)
    if step is None:
        return
    total = _HYPERPOD_TOTAL.search(line)
    if total is not None:
        gathering.plan(total[2])
    pairs = (_PAIR.match(part) for part in line.split(" | ")[1:] if len(part) <= LONGEST_PAIR)
    yield step[1], [(match[1], match[2]) for match in pairs if match], names.HYPERPOD
