"""Curves from one JSON object per step: run folders, TRL's trainer_state.json, metric lines.

Sources: transformers TrainerState (`log_history`, `max_steps`); TRL GRPO trainer documentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.compare.series import names
from bedrock_rft_sim.compare.series.curve import Curves, Gathering, number, step_number
from bedrock_rft_sim.compare.series.jsontext import Placed
from bedrock_rft_sim.contract.statuses import COMPLETED
from bedrock_rft_sim.errors import DataError, RunFolderError
from bedrock_rft_sim.runs import Run

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
        kind="run",
        total_steps=found.total_steps if planned is None else int(planned),
        prompts_per_step=None if batch is None else int(batch),
        unknown=tuple(name for name in found.unknown if name.split("/")[0] not in names.INNER),
        notes=tuple(notes),
    )


def _torn(metrics: Path) -> list[str]:
    content = metrics.read_bytes() if metrics.exists() else b""
    if not content or content.endswith(b"\n"):
        return []
    return [f"{metrics}:{content.count(10) + 1}: the last line is half written and was left out"]


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
        gathering.plan(record.get("total_steps"))
        step = step_number(record["step"], where=where)
        gathering.add(step, _flat(record), known, order=(position, ""), where=where)


def _flat(record: Mapping[str, Any]) -> Iterable[tuple[str, object]]:
    """Yield the values; one level of nesting, such as seconds by phase, becomes name/part."""
    for name, value in record.items():
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
