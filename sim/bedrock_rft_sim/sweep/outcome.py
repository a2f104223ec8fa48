"""What came of one point, read from its run folder.

The gain is compared with the noise of the validation set itself: the same prompts are answered
before the first step and after the last, so the standard error is that of the mean over prompts of
the difference in grade. A value that is not there stays None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from bedrock_rft_sim.diagnosis import Evidence, diagnose_run
from bedrock_rft_sim.diagnosis.evidence import end_means
from bedrock_rft_sim.runs import Run, RunFolder
from bedrock_rft_sim.runs.metrics import is_number
from bedrock_rft_sim.stats.student import standard_error
from bedrock_rft_sim.sweep.file import Metric
from bedrock_rft_sim.sweep.plan import Changes, Point

Status = Literal["completed", "failed", "pruned"]
VALIDATION: Final = "validation_rewards_mean"


@dataclass(frozen=True, slots=True)
class PointOutcome:
    """One run of a sweep."""

    name: str
    changes: Changes
    seed: int
    status: Status
    value: float | None = None
    """The sweep's metric; None unless the run completed."""
    validation_before: float | None = None
    """Validation reward before the first step."""
    gain: float | None = None
    """Validation reward after the last step minus before the first."""
    noise: float | None = None
    """Standard error of the gain over the validation prompts."""
    resolution: float | None = None
    """What one validation prompt weighs."""
    problems: tuple[str, ...] = ()
    """Checks of `rft report` that found a problem or a warning, and steps that are gone."""
    why: str | None = None
    """Why it failed or was pruned."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        found = {**asdict(self), "problems": list(self.problems)}
        del found["resolution"]
        return found


def each_once(outcomes: Iterable[PointOutcome]) -> list[PointOutcome]:
    """Keep one outcome of each run, in order of first appearance; a completed one is preferred."""
    found: dict[str, PointOutcome] = {}
    for one in outcomes:
        known = found.get(one.name)
        if known is None or (known.status != "completed" and one.status == "completed"):
            found[one.name] = one
    return list(found.values())


def without_value(point: Point, status: Status, why: str) -> PointOutcome:
    """Return the outcome of a point that failed or was pruned."""
    return PointOutcome(point.name, point.changes, point.seed, status, why=why)


def read_outcome(path: Path, point: Point, metric: Metric) -> PointOutcome:
    """Read a completed run.

    Raises:
        RunFolderError: it is damaged.
    """
    run = Run.open(path)
    validations = [line for line in run.lines if is_number(line.get(VALIDATION))]
    before, after = (validations[0], validations[-1]) if len(validations) > 1 else (None, None)
    differences = _differences(run.folder, before, after) if before and after else []
    value = value_of(run.lines, metric)
    findings = diagnose_run(Evidence.of(run))
    return PointOutcome(
        name=run.folder.name,
        changes=point.changes,
        seed=point.seed,
        status="completed" if value is not None else "failed",
        value=value,
        validation_before=before[VALIDATION] if before else None,
        gain=after[VALIDATION] - before[VALIDATION] if before and after else None,
        noise=standard_error(differences),
        resolution=1 / len(differences) if differences else None,
        problems=(*(v.rule for v in findings if v.severity in ("problem", "warning")), *run.gaps),
        why=None if value is not None else f"the run recorded no {metric}",
    )


def value_of(lines: Sequence[Mapping[str, Any]], metric: Metric) -> float | None:
    """Return the metric at the end of a run; None where it was never recorded."""
    values = [float(line[metric]) for line in lines if is_number(line.get(metric))]
    if not values:
        return None
    return values[-1] if metric == VALIDATION else end_means(values)[1]


def _differences(
    folder: RunFolder, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[float]:
    """Return the difference in grade of every prompt validated both times."""
    first, last = (_grades(folder, int(line["step"])) for line in (before, after))
    return [last[prompt] - grade for prompt, grade in first.items() if prompt in last]


def _grades(folder: RunFolder, step: int) -> dict[str, float]:
    if step not in folder.validation_steps():
        return {}
    return {rollout.prompt_id: rollout.grade for rollout in folder.read_validation(step)}
