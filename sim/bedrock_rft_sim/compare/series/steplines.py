"""Curves from one JSON object per logged step: TRL's trainer_state.json, and metric lines.

Sources: transformers TrainerState (`log_history`, `max_steps`); TRL GRPO trainer documentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bedrock_rft_sim.compare.series import names
from bedrock_rft_sim.compare.series.curve import Curves, Gathering, number, step_number
from bedrock_rft_sim.compare.series.jsontext import Placed
from bedrock_rft_sim.errors import DataError

HISTORY: Final = "log_history"


def looks_like_trainer_state(placed: list[Placed]) -> bool:
    """Whether this is the state a transformers Trainer saves with a checkpoint."""
    return len(placed) == 1 and isinstance(placed[0][1], dict) and HISTORY in placed[0][1]


def looks_like_step_lines(placed: list[Placed]) -> bool:
    """Whether each value is the record of one step."""
    records = [value for _, value in placed]
    if len(records) == 1 and isinstance(records[0], list):
        records = records[0]
    return bool(records) and isinstance(records[0], dict) and "step" in records[0]


def read_trainer_state(placed: list[Placed], source: str) -> Curves:
    """Return the curves of a trainer_state.json.

    Raises:
        DataError: the history is no list of records with steps, or a metric is no number.
    """
    where, state = placed[0]
    history = state[HISTORY]
    if not isinstance(history, list):
        raise _no_record(where, history)
    gathering = Gathering("trl")
    planned = number(state.get("max_steps"))
    gathering.total_steps = int(planned) if planned is not None and planned > 0 else None
    records = ((f"{where}, {HISTORY} {n}", record) for n, record in enumerate(history, start=1))
    _gather(gathering, records, names.TRL)
    return gathering.curves(source)


def read_step_lines(placed: list[Placed], source: str) -> Curves:
    """Return the curves of records with a step, under our names or TRL's.

    Raises:
        DataError: a value is no record with a step, or a metric is no number.
    """
    if len(placed) == 1 and isinstance(placed[0][1], list):
        where, records = placed[0]
        placed = [(f"{where}, item {n}", record) for n, record in enumerate(records, start=1)]
    gathering = Gathering("step-lines")
    _gather(gathering, placed, {**names.TRL, **names.INNER})
    return gathering.curves(source)


def _gather(gathering: Gathering, placed: Iterable[Placed], known: Mapping[str, str]) -> None:
    for position, (where, record) in enumerate(placed):
        if not isinstance(record, dict) or "step" not in record:
            raise _no_record(where, record)
        if "train_runtime" in record:
            continue  # the trainer's closing summary describes the run, not its last step
        step = step_number(record["step"], where=where)
        total = number(record.get("total_steps"))
        if total is not None:
            gathering.total_steps = max(gathering.total_steps or 0, int(total))
        for name, value in _flat(record):
            inner = None if isinstance(value, list) else known.get(name)
            gathering.add(name, step, value, inner=inner, order=(position, ""), where=where)


def _flat(record: Mapping[str, Any]) -> Iterable[tuple[str, object]]:
    """Yield the values; one level of nesting, such as seconds by phase, becomes name/part."""
    for name, value in record.items():
        if name in ("step", "total_steps"):
            continue
        if isinstance(value, dict):
            yield from ((f"{name}/{part}", inside) for part, inside in value.items())
        else:
            yield name, value


def _no_record(where: str, found: object) -> DataError:
    return DataError(
        "is no record of a step",
        where=where,
        expected="an object with a step",
        found=repr(found)[:60],
        hint="check whether the file is what you meant",
    )
