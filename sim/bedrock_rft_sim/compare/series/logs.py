"""Curves from the log lines of SageMaker training jobs (verl) and of HyperPod.

Lines come as text, as the JSON that the CloudWatch Logs API returns (`events` with `message`), or
as CloudWatch Logs Insights returns or exports them (`@timestamp`, `@message`; JSON or CSV).
A line without a step is no step. Sources: aws/nova-forge-sdk log monitor and its tests (the two
published lines); verl tracking (console backend: `step:N - name:value - ...`); CloudWatch Logs API
reference (GetLogEvents, GetQueryResults).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, Literal

from bedrock_rft_sim.compare.series import names
from bedrock_rft_sim.compare.series.curve import (
    Curves,
    Gathering,
    Naming,
    number,
    spelt,
    step_number,
)
from bedrock_rft_sim.compare.series.jsontext import Placed

Kind = Literal["verl-log", "hyperpod-log"]
Line = tuple[float, str, str]
"""Time or line number, where it stands, and its text."""

_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_NUMBER: Final = r"[\w.]+\([^()]*\)|[-+]?[\d.][-+.\w]*|[-+]?(?:nan|inf|NaN|Inf|Infinity)"
"""A number, also as np.float64(0.4) or tensor(0.4, device='cuda:0')."""
_VERL_STEP = re.compile(r"(?:^|\s)step:(\S*) - ")
_VERL_PAIR = re.compile(rf"(.+?):({_NUMBER})")
_VERL_LAST = re.compile(rf"(.+?):({_NUMBER})\s")
"""The last pair of a line, before the talk of a progress bar."""
_HYPERPOD_STEP = re.compile(r"global_step[=:]\s*([\d.]+|\S*)")
_HYPERPOD_REWARD: Final = "train_rm_score"
_HYPERPOD_TOTAL = re.compile(r"iteration (\d+)/(\d+)")
_PAIR: Final = re.compile(rf"^\s*([A-Za-z][\w/ .@-]*?)\s*[:=]\s*({_NUMBER}|.*?)\s*$")
_NO_VALUE: Final = "no value"
MESSAGES: Final = ("@message", "message", "log", "msg")
TIMES: Final = ("@timestamp", "timestamp", "time")
LONGEST_PAIR: Final = 200
"""Characters of a name and its number; what is longer is talk, and slow to match."""


def kind_of(lines: Iterable[str]) -> Kind | None:
    """Return the kind of the first line that is a step's, if any is."""
    for raw in lines:
        line = _COLOR.sub("", raw)
        steps = (pairs for step, pairs, _ in _verl(line) if step_number(step) is not None)
        if any(spelt(value) is not None for pairs in steps for _, value in pairs):
            return "verl-log"
        if _HYPERPOD_STEP.search(line) and _HYPERPOD_REWARD in line:
            return "hyperpod-log"
    return None


def lines_of_cloudwatch(placed: list[Placed], source: str) -> list[Line] | None:
    """Return the messages of get-log-events, filter-log-events or an Insights query, or None."""
    value: Any = placed[0][1] if len(placed) == 1 else [inside for _, inside in placed]
    if isinstance(value, dict):
        value = value.get("events") or value.get("results") or [value]
    if not isinstance(value, list) or not value:
        return None
    records = [_record(each) for each in value]
    if any("data" in record for record in records):  # a job's events have messages, too
        return None
    where = (f"{source}, log event {position}" for position in range(1, len(records) + 1))
    return lines_of_records(zip(where, records, strict=True)) or None


def _record(value: Any) -> dict[str, Any]:
    """Return one event as an object; get-query-results returns a list of fields and values."""
    if isinstance(value, list):
        fields = (each for each in value if isinstance(each, dict))
        return {str(each.get("field")): each.get("value") for each in fields}
    return value if isinstance(value, dict) else {}


def lines_of_records(records: Iterable[tuple[str, dict[str, Any]]]) -> list[Line]:
    """Return the messages with their times; Insights puts the latest first."""
    found: list[Line] = []
    for position, (where, record) in enumerate(records, start=1):
        message = message_of(record)
        if message is not None:
            found.append((_time(record, float(position)), where, message))
    return found


def message_of(record: dict[str, Any]) -> str | None:
    """Return the text of a log event, also where an agent wrapped it into JSON once more."""
    message = next((record[name] for name in MESSAGES if name in record), None)
    if not isinstance(message, str) or not message.startswith("{"):
        return message if isinstance(message, str) else None
    try:
        inside = json.loads(message)
    except (ValueError, RecursionError):
        return message
    return (message_of(inside) if isinstance(inside, dict) else None) or message


def _time(record: dict[str, Any], otherwise: float) -> float:
    stamp = next((record[name] for name in TIMES if name in record), None)
    found = number(stamp)
    if found is not None or not isinstance(stamp, str):
        return otherwise if found is None else found
    try:
        when = datetime.fromisoformat(stamp)
    except ValueError:
        return otherwise
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def read_log(lines: Iterable[Line], source: str, kind: Kind) -> Curves:
    """Return the curves in a log.

    Raises:
        DataError: no line is a step's, or a metric is not finite.
    """
    gathering = Gathering(kind)
    for at, where, raw in lines:
        line = _COLOR.sub("", raw)
        found = _verl(line) if kind == "verl-log" else _hyperpod(line, gathering)
        for step, pairs, naming in found:
            gathering.add(step, pairs, naming, order=(at, where), where=where)
    return gathering.curves(source)


Found = tuple[str, list[tuple[str, str]], Naming]


def _verl(line: str) -> Iterator[Found]:
    _, *steps = _VERL_STEP.split(line)
    for step, text in zip(steps[::2], steps[1::2], strict=True):
        yield step, list(_verl_pairs(text.rstrip().split(" - "))), names.of_verl


def _verl_pairs(parts: list[str]) -> Iterator[tuple[str, str]]:
    """Yield names and values; a name may hold blanks, colons and " - ", as data sources do."""
    begun = ""
    for place, part in enumerate(parts, start=1):
        if ":" not in part:
            begun += f"{part} - "
            continue
        pair, is_last = begun + part, place == len(parts)
        match = _VERL_PAIR.fullmatch(pair) or (_VERL_LAST.match(pair) if is_last else None)
        name, value = match.groups() if match else pair.split(":", 1)
        yield name, value or _NO_VALUE
        begun = ""
    if begun:
        yield begun.removesuffix(" - "), _NO_VALUE


def _hyperpod(line: str, gathering: Gathering) -> Iterator[Found]:
    step = _HYPERPOD_STEP.search(line)
    if step is None or (step_number(step[1]) is None and _HYPERPOD_REWARD not in line):
        return
    total = _HYPERPOD_TOTAL.search(line)
    if total is not None:
        gathering.plan(total[2])
    found = (_PAIR.match(part) for part in line.split(" | ")[1:] if len(part) <= LONGEST_PAIR)
    pairs = [(match[1], match[2] or _NO_VALUE) for match in found if match]
    # Of a name that we do not know, a value with blanks is talk.
    read = [(n, value) for n, value in pairs if n in names.HYPERPOD or not set(value) & {" ", "\t"}]
    yield step[1], read, names.HYPERPOD.get
