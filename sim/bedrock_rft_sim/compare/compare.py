"""Compare two groups of runs, metric by metric.

It compares shapes and never heights: another model starts elsewhere. The rule stands in
`bedrock_rft_sim.compare.decide`; here is what it is applied to.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from bedrock_rft_sim.compare import decide, summary
from bedrock_rft_sim.compare.axis import (
    LABELS,
    Axis,
    PlacedSeries,
    choose,
    common_range,
    cut,
    end_of,
    place,
    step_width,
    thin,
)
from bedrock_rft_sim.compare.resample import RESAMPLES, rank_correlation, resample
from bedrock_rft_sim.compare.result import Comparison, MetricComparison, SideSummary
from bedrock_rft_sim.compare.series import Curves
from bedrock_rft_sim.compare.words import in_all, of_metric
from bedrock_rft_sim.contract.metrics import Metric, metric
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.stats import student

REWARDS: Final = ("critic_rewards_mean", "validation_rewards_mean")
COMPARED: Final[tuple[Metric, ...]] = tuple(
    metric(name)
    for name in (
        *REWARDS,
        "response_length_mean",
        "validation_response_length_mean",
        "actor_entropy",
    )
)
"""The console's graphs whose shape means the same here and in the cloud, in its order."""
HIGHEST_SEEN: Final = "critic_rewards_max"
USUAL_TOP: Final = 1.0
ALMOST: Final = 0.95
"""Runs that end within this share of each other count as equally long."""
ARRIVED: Final = 0.9
"""A curve has reached its plateau when this share of its way is made for good."""


def compare(
    a: Sequence[Curves],
    b: Sequence[Curves],
    *,
    axis: Axis | None = None,
    margin: float = decide.MARGIN,
    top: float | None = None,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare runs of one recipe, or a job, with runs of another.

    Args:
        a: runs that differ in their seed only; they form the band.
        b: the same for the other side, for example one Bedrock job.
        axis: prompts seen or share of the run; None takes prompts where both sides know them.
        margin: a difference in gain or area below it counts as the same.
        top: the greatest possible reward; None takes 1, or the highest that was seen.
        resamples: bootstrap replicates; 0 leaves the bootstrap out.

    Raises:
        DataError: the two sides have no compared metric in common, or a run stands twice on one.
    """
    for group in (a, b):
        _check_seeds(group)
    chosen = choose((a, b), axis)
    highest = _top([*a, *b]) if top is None else top
    placed = [_place(each, a, b, axis=chosen, top=highest) for each in COMPARED]
    if not any(one.side_a and one.side_b for one in placed):
        raise _nothing_in_common(a, b)
    found = decide.adjusted([one.differences(margin) for one in placed])
    metrics = tuple(
        _judge(one, each, margin, resamples) for one, each in zip(placed, found, strict=True)
    )
    verdict, words = in_all(metrics, margin=margin)
    return Comparison(
        verdict=verdict,
        words=words,
        a=tuple(run.name for run in a),
        b=tuple(run.name for run in b),
        axis=chosen,
        margin=margin,
        top_reward=highest,
        metrics=metrics,
        notes=_notes([*a, *b], chosen),
    )


def _check_seeds(group: Sequence[Curves]) -> None:
    """Refuse a run that stands twice in a group: copies would look like seeds that agree."""
    for other, run in itertools.combinations(group, 2):
        if run.series == other.series:
            raise DataError(
                "two runs of one side hold the very same numbers",
                where=run.source,
                expected="runs that differ in their seed",
                found=f"the numbers of {other.source}",
                hint="leave one out, or run it again with --set local.seed=N",
            )


def _top(runs: Sequence[Curves]) -> float:
    """Return 1, or the highest reward that any curve shows."""
    names = (*REWARDS, HIGHEST_SEEN)
    seen = [max(run.series[name].values) for run in runs for name in names if name in run.series]
    return max([USUAL_TOP, *seen])


@dataclass(frozen=True)
class _Placed:
    """One metric on the common axis, before the verdict; no curves where it can't be judged."""

    metric: Metric
    side_a: SideSummary | None
    side_b: SideSummary | None
    a: Sequence[summary.CurveSummary] = ()
    b: Sequence[summary.CurveSummary] = ()
    reason: str = ""
    """Why it can't be judged."""

    def differences(self, margin: float) -> tuple[decide.ShapeDifference, ...]:
        if self.reason or self.side_a is None:
            return ()
        return decide.differences(self.a, self.b, points=self.side_a.points, margin=margin)


def _place(
    each: Metric, a: Sequence[Curves], b: Sequence[Curves], *, axis: Axis, top: float
) -> _Placed:
    placed = [
        [one for run in group if (one := place(run, each.inner, axis)) is not None]
        for group in (a, b)
    ]
    if not (placed[0] and placed[1]):
        one_side = "only A has it" if placed[0] else "only B has it"
        reason = one_side if any(placed) else "neither side has it"
        return _unjudged(each, placed, reason)
    low, high = common_range([*placed[0], *placed[1]])
    inside = [[cut(one, low, high) for one in group] for group in placed]
    points = min(len(one.x) for group in inside for one in group)
    if points < decide.LEAST_POINTS_AT_ALL:
        noun = "point" if points == 1 else "points"
        reason = f"{points} {noun} in common; fewer than {decide.LEAST_POINTS_AT_ALL} show no shape"
        return _unjudged(each, placed, reason)
    is_reward = each.inner in REWARDS
    limit = top if is_reward else None
    summed = [[summary.summarise(thin(one), top=limit) for one in group] for group in inside]
    known = [[one for one in group if one is not None] for group in summed]
    if any(one is None for group in summed for one in group):
        reason = "it begins at 0, so there is no relative change"
        if is_reward:
            reason = "the reward begins at its top, so there is nothing to gain"
        return _unjudged(each, inside, reason)
    return _Placed(each, _side(known[0], points), _side(known[1], points), known[0], known[1])


def _unjudged(each: Metric, groups: Sequence[Sequence[PlacedSeries]], reason: str) -> _Placed:
    return _Placed(each, _short_side(groups[0]), _short_side(groups[1]), reason=reason)


def _short_side(group: Sequence[PlacedSeries]) -> SideSummary | None:
    """Return what can be said of curves that are too short, or have no room, to be judged."""
    if not group:
        return None
    return SideSummary(
        runs=len(group),
        points=min(len(one.x) for one in group),
        start=fmean(float(one.y[0]) for one in group),
        end=fmean(float(one.y[-1]) for one in group),
    )


def _side(group: Sequence[summary.CurveSummary], points: int) -> SideSummary:
    gain = decide.across_runs(group, "gain")
    direction = _direction(gain)
    start, end = (fmean(getattr(one, name) for one in group) for name in ("start", "end"))
    return SideSummary(
        runs=len(group),
        points=points,
        start=start,
        end=end,
        gain=gain.mean,
        area=fmean(one.area for one in group),
        direction=direction,
        plateau=None if direction == "level" else _plateau(group, start, end),
    )


def _direction(gain: decide.AcrossRuns) -> str:
    limit = student.critical(decide.ALPHA / 2, gain.runs - 1 or math.inf)
    if abs(gain.mean) <= limit * math.sqrt(gain.variance / gain.runs):
        return "level"
    return "rising" if gain.mean > 0 else "falling"


def _plateau(group: Sequence[summary.CurveSummary], start: float, end: float) -> float:
    curves = [one.series for one in group]
    way = (summary.mean_curve(curves, summary.grid_over(curves)) - start) / (end - start)
    # The last fifth makes up the level at the end; what happens within it is noise around it.
    before = way[: int(summary.GRID * (1 - summary.WINDOW))]
    short = [index for index, share in enumerate(before) if share < ARRIVED]
    return float(((short[-1] + 1) if short else 0) / (summary.GRID - 1))


def _judge(
    one: _Placed, found: tuple[decide.ShapeDifference, ...], margin: float, resamples: int
) -> MetricComparison:
    verdict: decide.ShapeVerdict = "cannot tell"
    words, bootstrap = one.reason, None
    if found and one.side_a and one.side_b:
        grid = summary.grid_over([each.series for each in (*one.a, *one.b)])
        correlation = rank_correlation(one.a, one.b, grid)
        verdict, words = of_metric(
            one.side_a, one.side_b, found, correlation=correlation, margin=margin
        )
        bootstrap = resample(one.a, one.b, grid, count=resamples) if resamples else None
    return MetricComparison(
        metric=one.metric.inner,
        title=one.metric.console_title or one.metric.inner,
        verdict=verdict,
        words=words,
        a=one.side_a,
        b=one.side_b,
        differences=found,
        bootstrap=bootstrap,
    )


def _notes(runs: Sequence[Curves], axis: Axis) -> tuple[str, ...]:
    notes = [f"{run.name}: {note}" for run in runs for note in run.notes]
    for run in runs:
        if run.repeated_steps:
            notes.append(
                f"{run.name}: {run.repeated_steps} steps came more than once; the last was taken"
            )
        if axis == "share" and run.total_steps is None:
            notes.append(
                f"{run.name}: the planned steps are not known; step {run.last_step} is taken for "
                "the end of the run"
            )
        elif run.last_step < end_of(run):
            notes.append(f"{run.name}: ends at step {run.last_step} of {end_of(run)}")
    ends = sorted((run.last_step * step_width(run, axis), run.name) for run in runs)
    (shortest, first), (longest, last) = ends[0], ends[-1]
    if shortest <= ALMOST * longest:
        notes.append(
            f"compared only up to {shortest:.4g} on the axis ({LABELS[axis]}), where {first} ends; "
            f"{last} goes on to {longest:.4g}"
        )
    return tuple(dict.fromkeys(notes))


def _nothing_in_common(a: Sequence[Curves], b: Sequence[Curves]) -> DataError:
    names = [", ".join(group[0].series) or "none" for group in (a, b)]
    return DataError(
        "the two sides have no compared metric in common",
        where=f"{a[0].source} and {b[0].source}",
        expected=f"one of: {', '.join(each.inner for each in COMPARED)}",
        found=" against ".join(names)[:300],
        hint="check that both files are training metrics; unknown columns are not compared",
    )
