"""Curves of a run folder, also of one that crashed or is still running."""

from __future__ import annotations

from pathlib import Path

from bedrock_rft_sim.compare.series import names
from bedrock_rft_sim.compare.series.curve import Curves, number
from bedrock_rft_sim.compare.series.steplines import read_step_lines
from bedrock_rft_sim.contract.statuses import COMPLETED
from bedrock_rft_sim.errors import DataError, RunFolderError
from bedrock_rft_sim.runs import Run


def read_run(path: Path) -> Curves:
    """Return the curves in a run's metrics.jsonl; a half-written last line is left out.

    Raises:
        DataError: it is no run folder, it is damaged, or no step was recorded.
    """
    try:
        run = Run.open(path)
        lines = run.folder.read_metrics()  # unmended: a step that comes twice is to be counted
    except RunFolderError as error:
        raise DataError(
            error.what,
            where=error.where,
            expected=error.expected,
            found=error.found,
            hint=error.hint,
        ) from error
    metrics = run.folder.metrics
    placed = [(f"{metrics}:{n}", line) for n, line in enumerate(lines, start=1)]
    found = read_step_lines(placed, str(path))
    batch = number(run.setting("batch_size"))
    planned = number((run.record.get("steps") or {}).get("total"))
    notes = [*found.notes, *_torn(metrics)]
    if run.status != COMPLETED:
        notes.append(f"the run is {run.status} and ends at step {found.last_step}")
    return Curves(
        source=str(path),
        kind="run",
        series=found.series,
        total_steps=found.total_steps if planned is None else int(planned),
        prompts_per_step=None if batch is None else int(batch),
        unknown=tuple(name for name in found.unknown if name.split("/")[0] not in names.INNER),
        repeated_steps=found.repeated_steps,
        notes=tuple(notes),
    )


def _torn(metrics: Path) -> list[str]:
    content = metrics.read_bytes() if metrics.exists() else b""
    if not content or content.endswith(b"\n"):
        return []
    return [f"{metrics}:{content.count(10) + 1}: the last line is half written and was left out"]
