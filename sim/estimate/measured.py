"""What a probe or a run has measured: lengths, grading time, seconds and memory of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.errors import DataError
from sim.probe import Estimate
from sim.probe.intervals import mean_over_prompts
from sim.runfolder import RunFolder, disk

OVER_STEPS = "bootstrap over steps"


@dataclass(frozen=True)
class Measured:
    """Measurements; None for what the source does not hold."""

    source: str
    """Which probe or run, in words."""
    model: str
    limit: int
    """inferenceMaxTokens while it was measured."""
    response_tokens: Estimate | None
    """Mean tokens of an answer."""
    cut_share: float | None
    """Share of answers cut at the limit; above 0 the mean is a lower bound."""
    grader_seconds: Estimate | None = None
    """Of the handler, per answer."""
    step_seconds: Estimate | None = None
    """Of a training step on this machine, validation left out."""
    validation_seconds: Estimate | None = None
    """Of one validation on this machine."""
    rollouts_per_step: int | None = None
    peak_memory_mb: float | None = None
    total_seconds: float | None = None
    """Of all recorded steps."""


def read_measured(path: Path) -> Measured:
    """Read a run folder or the result of a probe.

    Raises:
        DataError: it is neither.
        RunFolderError: it can't be read.
    """
    return _of_run(path) if path.is_dir() else _of_probe(path)


def _of_probe(path: Path) -> Measured:
    record = disk.read_json(path)
    try:
        lengths, seconds = record["lengths"], record["grader_seconds"]
        return Measured(
            source=f"probe {path.name} of {record['model']}",
            model=record["model"],
            limit=record["max_tokens"],
            response_tokens=_estimate(lengths["mean"]) if lengths else None,
            cut_share=lengths["cut"]["value"] if lengths else None,
            grader_seconds=_estimate(seconds) if seconds else None,
        )
    except (KeyError, TypeError) as error:
        raise DataError(
            "nothing was measured here",
            where=str(path),
            expected="a run folder, or the .json that rft probe wrote",
            found="another file",
        ) from error


def _estimate(record: Mapping[str, Any]) -> Estimate:
    return Estimate(record["value"], record["low"], record["high"], record["method"])


def _of_run(path: Path) -> Measured:
    folder = RunFolder.open(path)
    resolved = folder.read_resolved()
    lines = [line for line in folder.read_metrics() if "critic_rewards_mean" in line]
    if not lines:
        raise DataError(
            "the run has no training step yet", where=str(path), expected="at least one step"
        )
    steady = lines[1:] or lines  # the first step also warms up
    cut = [line["local_truncated_share"] for line in lines if "local_truncated_share" in line]
    return Measured(
        source=f"run {folder.name}, {len(lines)} steps",
        model=resolved["local"]["model"]["value"],
        limit=resolved["settings"]["inference_max_tokens"]["value"],
        response_tokens=_over_steps([line["response_length_mean"] for line in lines]),
        cut_share=sum(cut) / len(cut) if cut else None,
        grader_seconds=_over_steps([s for line in steady if (s := _grader_seconds(line))]),
        step_seconds=_over_steps([_step_seconds(line) for line in steady]),
        validation_seconds=_over_steps(
            [s for line in lines if (s := line["local_seconds"].get("validate"))]
        ),
        rollouts_per_step=lines[-1]["local_rollouts"],
        peak_memory_mb=max(
            (line["local_peak_memory_mb"] for line in lines if "local_peak_memory_mb" in line),
            default=None,
        ),
        total_seconds=sum(line["local_seconds"]["total"] for line in lines),
    )


def _step_seconds(line: Mapping[str, Any]) -> float:
    seconds = line["local_seconds"]
    return float(seconds["total"] - seconds.get("validate", 0.0))


def _grader_seconds(line: Mapping[str, Any]) -> float | None:
    """Return the time that grading took per answer, the way to the handler and back included."""
    grade = line["local_seconds"].get("grade")
    return None if grade is None else grade / line["local_rollouts"]


def _over_steps(values: Sequence[float]) -> Estimate | None:
    found = mean_over_prompts(values, is_share=False)
    return None if found is None else Estimate(found.value, found.low, found.high, OVER_STEPS)
