"""Curves from one JSON object per step: run folders, TRL's trainer_state.json, metric lines.

Sources: transformers TrainerState (`log_history`, `max_steps`); TRL GRPO trainer documentation;
verl tracking (file backend: `step` and `data`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.compare.series import names
from bedrock_rft_sim.compare.series.curve import (
    STEP_NAMES,
    Curves,
    Gathering,
    Kind,
    Naming,
    number,
)
from bedrock_rft_sim.compare.series.jsontext import Placed
from bedrock_rft_sim.contract.statuses import COMPLETED
from bedrock_rft_sim.errors import DataError, RunFolderError
from bedrock_rft_sim.runs import Run

HISTORY: Final = "log_history"
CONTAINERS: Final = ("data", "metrics")
"""What holds a step's metrics, and is no part of their names."""
DEEPEST: Final = 4
"""Objects within objects, such as {"data": {"critic": {"rewards": {"mean": 0.5}}}}."""


def looks_like_trainer_state(placed: list[Placed]) -> bool:
    """Whether this is the state a transformers Trainer saves with a checkpoint."""
    return len(placed) == 1 and isinstance(placed[0][1], dict) and HISTORY in placed[0][1]


def looks_like_step_lines(placed: list[Placed]) -> bool:
    """Whether each value is the record of one step."""
    records = [value for _, value in placed]
    if len(records) == 1 and isinstance(records[0], list):
        records = records[0]
    first = next((each for each in records if isinstance(each, dict)), {})
    return any(name in STEP_NAMES for name, _ in _flat(first))


def read_run(path: Path) -> Curves:
    """Return the curves in a run's metrics.jsonl; a half-written last line is left out.

    Raises:
        DataError: it is no run folder, it is damaged, or no step was recorded.
    """
    try:
        run = Run.open(path)
        lines = run.folder.read_metrics()  # unmended: a step that comes twice is to be counted
    except RunFolderError as error:
        raise error.restated(DataError) from error
    metrics = run.folder.metrics
    placed = [(f"{metrics}:{n}", line) for n, line in enumerate(lines, start=1)]
    found = read_step_lines(placed, str(path))
    batch = number(run.setting("batch_size"))
    planned = number((run.record.get("steps") or {}).get("total"))
    notes = [*run.gaps, *found.notes, *_torn(metrics)]
    if run.status != COMPLETED:
        notes.append(f"the run is {run.status} and ends at step {found.last_step}")
    return replace(
        found,
        kind=_kind(run),
        total_steps=found.total_steps if planned is None else int(planned),
        prompts_per_step=None if batch is None else int(batch),
        unknown=tuple(name for name in found.unknown if name.split("/")[0] not in names.INNER),
        notes=tuple(notes),
    )


def _kind(run: Run) -> Kind:
    """Return what the numbers are of: a run here, or a job whose metrics were pulled."""
    if not run.is_of_bedrock:
        return "run"
    return "mantle" if run.resolved.get("dialect") == "openai" else "nova-csv"


def _torn(metrics: Path) -> list[str]:
    content = metrics.read_bytes() if metrics.exists() else b""
    if not content or content.endswith(b"\n"):
        return []
    return [f"{metrics}:{content.count(10) + 1}: the last line is half written and was left out"]


def read_trainer_state(placed: list[Placed], source: str) -> Curves:
    """Return the curves of a trainer_state.json.

    Raises:
        DataError: the history is no list of records with steps, or a metric is not finite.
    """
    where, state = placed[0]
    history = state[HISTORY]
    if not isinstance(history, list):
        raise DataError(
            f"{HISTORY} is no list",
            where=where,
            expected="a list of objects with a step",
            found=repr(history)[:60],
            hint="check whether the file is what you meant",
        )
    gathering = Gathering("trl")
    planned = number(state.get("max_steps"))
    gathering.total_steps = int(planned) if planned is not None and planned > 0 else None
    records = ((f"{where}, {HISTORY} {n}", record) for n, record in enumerate(history, start=1))
    _gather(gathering, records, names.TRL.get)
    return gathering.curves(source)


def read_step_lines(placed: list[Placed], source: str) -> Curves:
    """Return the curves of records with a step, under our names, TRL's or verl's, nested or not.

    Raises:
        DataError: no value is a record with a step, or a metric is not finite.
    """
    if len(placed) == 1 and isinstance(placed[0][1], list):
        where, records = placed[0]
        placed = [(f"{where}, item {n}", record) for n, record in enumerate(records, start=1)]
    gathering = Gathering("step-lines")
    _gather(gathering, placed, names.of_tracker)
    return gathering.curves(source)


def _gather(gathering: Gathering, placed: Iterable[Placed], naming: Naming) -> None:
    for position, (where, record) in enumerate(placed):
        flat = dict(_flat(record)) if isinstance(record, dict) else {}
        step = next((flat[name] for name in STEP_NAMES if flat.get(name) is not None), None)
        if step is None:
            gathering.leave_out(where, f"{repr(record)[:60]} is no record of a step")
        elif "train_runtime" not in record:  # the closing summary describes the run, not a step
            gathering.plan(record.get("total_steps"))
            gathering.add(step, flat.items(), naming, order=(position, ""), where=where)


def _flat(record: Mapping[str, Any], depth: int = DEEPEST) -> Iterator[tuple[str, object]]:
    """Yield the values; what is nested, such as seconds by phase, becomes name/part."""
    for name, value in record.items():
        if isinstance(value, dict) and depth:
            above = "" if name in CONTAINERS else f"{name}/"
            yield from ((above + part, inside) for part, inside in _flat(value, depth - 1))
        else:
            yield name, value
