"""What stands beside the curves: how the graders fared, and a job's estimate against what was seen.

Only run folders know these; a job's is what was pulled of it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.compare.series import Curves
from bedrock_rft_sim.runs import Run, is_run
from bedrock_rft_sim.stats.shares import percentile

HOUR_S: Final = 3600


@dataclass(frozen=True)
class GraderTimes:
    """The invocations in one run's grader log."""

    name: str
    where: str
    invocations: int
    p50_s: float
    p95_s: float
    max_s: float
    failed: int | None
    """Attempts that failed; None where that is not known."""


@dataclass(frozen=True)
class EstimatedAndSeen:
    """One number before and after."""

    name: str
    estimated: str
    seen: str


@dataclass(frozen=True)
class Beside:
    """What is known beside the curves of two groups."""

    graders: tuple[GraderTimes, ...]
    estimates: tuple[EstimatedAndSeen, ...]


def beside(groups: Sequence[Sequence[Curves]]) -> Beside:
    """Return what the run folders among the sources know."""
    paths = [Path(curves.source) for group in groups for curves in group]
    runs = [Run.open(path) for path in paths if is_run(path)]
    graders = (_grader(run) for run in runs)
    estimates = (row for run in runs if run.is_of_bedrock for row in _estimates(run))
    return Beside(tuple(each for each in graders if each is not None), tuple(estimates))


def _grader(run: Run) -> GraderTimes | None:
    seconds = run.billed_seconds()
    if not seconds:
        return None
    return GraderTimes(
        name=run.folder.name,
        where="on Lambda" if run.is_of_bedrock else "here",
        invocations=len(seconds),
        p50_s=percentile(seconds, 0.50),
        p95_s=percentile(seconds, 0.95),
        max_s=max(seconds),
        failed=_failed(run),
    )


def _failed(run: Run) -> int | None:
    tables = [line.get("local_grader_errors") for line in run.lines]
    tables.append((run.record.get("grader") or {}).get("errors"))
    known = [table for table in tables if isinstance(table, dict)]
    return sum(sum(table.values()) for table in known) if known else None


def _estimates(run: Run) -> Iterator[EstimatedAndSeen]:
    """Yield what was estimated when the job was submitted, and what its run shows of it."""
    before = run.record.get("estimate") or {}
    seconds, gb_seconds = run.billed_seconds(), run.billed_gb_seconds()
    for name, key, seen in (
        ("Lambda invocations", "lambda_invocations", float(len(seconds)) if seconds else None),
        ("Lambda GB-seconds", "gb_seconds", gb_seconds),
    ):
        if key in before and seen is not None:
            yield EstimatedAndSeen(name, _range(before[key]), _count(seen))
    hours = _hours(run)
    if hours is not None:
        yield EstimatedAndSeen("hours of the job", "unknown", f"{hours:,.2f}")


def _range(quantity: Mapping[str, Any]) -> str:
    low, value, high = (quantity.get(name) for name in ("low", "value", "high"))
    if value is None:
        return "unknown" if high is None else f"at most {_count(high)}"
    if low is None or high is None:
        return _count(value)
    return f"{_count(low)} to {_count(high)}"


def _count(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


def _hours(run: Run) -> float | None:
    times = (run.record.get("started"), run.record.get("ended"))
    if None in times:
        return None
    started, ended = (datetime.datetime.fromisoformat(str(time)) for time in times)
    return (ended - started).total_seconds() / HOUR_S
