"""Hold two groups of runs against each other, metric by metric.

It compares shapes and never heights: another model starts elsewhere. The rule stands in
`bedrock_rft_sim.compare.decide`; here is what it is applied to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bedrock_rft_sim.compare.axis import (
    LABELS,
    Axis,
    Series,
    choose,
    common_range,
    cut,
    end_of,
    place,
    reach,
    thin,
)
from bedrock_rft_sim.compare.decide import (
    ALPHA,
    LEAST_POINTS_AT_ALL,
    MARGIN,
    Difference,
    differences,
)
from bedrock_rft_sim.compare.resample import GRID, RESAMPLES, Resampled, mean_curve, resample
from bedrock_rft_sim.compare.result import Comparison, MetricComparison, Side
from bedrock_rft_sim.compare.series import Curves
from bedrock_rft_sim.compare.summary import WINDOW, Summary, summarise
from bedrock_rft_sim.compare.words import in_all, of_metric, why_not
from bedrock_rft_sim.contract.metrics import Metric, metric
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.stats import student
from bedrock_rft_sim.stats.ranks import spearman

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

COMPARED: Final[tuple[Metric, ...]] = tuple(
    metric(name)
    for name in (
        "critic_rewards_mean",
        "validation_rewards_mean",
        "response_length_mean",
        "validation_response_length_mean",
        "actor_entropy",
    )
)
"""The console's graphs whose shape means the same here and in the cloud, in its order."""
REWARDS: Final = ("critic_rewards_mean", "validation_rewards_mean")
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
    margin: float = MARGIN,
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
    highest = top if top is not None else _top([*a, *b])
    looked = [_look(each, a, b, axis=chosen, top=highest, margin=margin) for each in COMPARED]
    if not any(one.shared for one in looked):
        raise _nothing_in_common(a, b)
    adjusted = iter(student.holm([each.p_different for one in looked for each in one.differences]))
    found = tuple(
        _judge(one, tuple(next(adjusted) for _ in one.differences), margin, resamples)
        for one in looked
    )
    verdict, words = in_all(found, margin=margin)
    return Comparison(
        a=tuple(run.name for run in a),
        b=tuple(run.name for run in b),
        axis=chosen,
        verdict=verdict,
        words=words,
        margin=margin,
        top=highest,
        metrics=found,
        notes=_notes(a, b, chosen),
    )


def _check_seeds(group: Sequence[Curves]) -> None:
    """Refuse a run that stands twice in a group: copies would look like seeds that agree."""
    for place_, run in enumerate(group):
        for other in group[:place_]:
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
    return max(USUAL_TOP, *seen) if seen else USUAL_TOP


@dataclass(frozen=True)
class _Looked:
    """One metric before the verdict."""

    metric: Metric
    a: tuple[tuple[Series, Summary], ...] = ()
    b: tuple[tuple[Series, Summary], ...] = ()
    side_a: Side | None = None
    side_b: Side | None = None
    differences: tuple[Difference, ...] = ()
    reason: str = ""
    """Why nothing can be told, if nothing can."""

    @property
    def shared(self) -> bool:
        return self.side_a is not None and self.side_b is not None


def _look(
    each: Metric,
    a: Sequence[Curves],
    b: Sequence[Curves],
    *,
    axis: Axis,
    top: float,
    margin: float,
) -> _Looked:
    placed = [[place(run, each.inner, axis) for run in group] for group in (a, b)]
    series = [[one for one in group if one is not None] for group in placed]
    if not series[0] or not series[1]:
        known = [_short_side(group) if group else None for group in series]
        reason = why_not("missing", a=bool(series[0]), b=bool(series[1]))
        return _Looked(each, side_a=known[0], side_b=known[1], reason=reason)
    low, high = common_range([*series[0], *series[1]])
    inside = [[cut(one, low, high) for one in group] for group in series]
    points = min(len(one.x) for group in inside for one in group)
    if points < LEAST_POINTS_AT_ALL:
        sides = [_short_side(group) for group in series]
        reason = why_not("points", points=points)
        return _Looked(each, side_a=sides[0], side_b=sides[1], reason=reason)
    limit = top if each.inner in REWARDS else None
    pairs = [[(one, summarise(one, top=limit)) for one in map(thin, group)] for group in inside]
    summed = [[(one, found) for one, found in group if found is not None] for group in pairs]
    if any(len(kept) < len(group) for kept, group in zip(summed, pairs, strict=True)):
        sides = [_short_side(group) for group in inside]
        reason = why_not("room", is_reward=limit is not None)
        return _Looked(each, side_a=sides[0], side_b=sides[1], reason=reason)
    return _Looked(
        each,
        a=tuple(summed[0]),
        b=tuple(summed[1]),
        side_a=_side(summed[0], points),
        side_b=_side(summed[1], points),
        differences=differences(
            [found for _, found in summed[0]],
            [found for _, found in summed[1]],
            points=points,
            margin=margin,
        ),
    )


def _short_side(group: Sequence[Series]) -> Side:
    """Return what can be said of curves that are too short, or have no room, to be judged."""
    return Side(
        runs=len(group),
        points=min(len(one.x) for one in group),
        start=math.fsum(float(one.y[0]) for one in group) / len(group),
        end=math.fsum(float(one.y[-1]) for one in group) / len(group),
        gain=None,
        area=None,
        direction=None,
        plateau=None,
    )


def _side(group: Sequence[tuple[Series, Summary]], points: int) -> Side:
    found = [summary for _, summary in group]
    count = len(found)
    direction = _direction(found)
    start = math.fsum(one.start for one in found) / count
    end = math.fsum(one.end for one in found) / count
    return Side(
        runs=count,
        points=points,
        start=start,
        end=end,
        gain=math.fsum(one.gain for one in found) / count,
        area=math.fsum(one.area for one in found) / count,
        direction=direction,
        plateau=None if direction == "level" else _plateau(group, start, end),
    )


def _direction(group: Sequence[Summary]) -> str:
    count = len(group)
    gain = math.fsum(one.gain for one in group) / count
    noise = math.fsum(float(one.noise[0, 0]) for one in group) / count
    spread = noise
    if count > 1:
        spread = max(noise, math.fsum((one.gain - gain) ** 2 for one in group) / (count - 1))
    limit = student.critical(ALPHA / 2, count - 1 if count > 1 else math.inf)
    if abs(gain) <= limit * math.sqrt(spread / count):
        return "level"
    return "rising" if gain > 0 else "falling"


def grid_over(series: Sequence[Series]) -> Array:
    """Return the positions at which curves are held against each other."""
    import numpy as np

    low, high = common_range(series)
    return np.linspace(low, high, GRID)


def _plateau(group: Sequence[tuple[Series, Summary]], start: float, end: float) -> float:
    curves = [series for series, _ in group]
    grid = grid_over(curves)
    way = (mean_curve(curves, grid) - start) / (end - start)
    # The last fifth makes up the level at the end; what happens within it is noise around it.
    before = way[: int(GRID * (1 - WINDOW))]
    short = [place_ for place_, share in enumerate(before) if share < ARRIVED]
    return float(((short[-1] + 1) if short else 0) / (GRID - 1))


def _judge(
    one: _Looked, adjusted: tuple[float, ...], margin: float, resamples: int
) -> MetricComparison:
    found = MetricComparison(
        metric=one.metric.inner,
        title=one.metric.console_title or one.metric.inner,
        verdict="cannot tell",
        words=one.reason,
        a=one.side_a,
        b=one.side_b,
    )
    if not one.differences:
        return found
    resampled = _resample(one, resamples)
    verdict, words = of_metric(
        one.side_a,
        one.side_b,
        one.differences,
        adjusted,
        correlation=_correlation(one),
        margin=margin,
    )
    return replace(
        found,
        verdict=verdict,
        words=words,
        differences=one.differences,
        p_adjusted=adjusted,
        resampled=resampled,
    )


def _resample(one: _Looked, count: int) -> Resampled | None:
    if not count:
        return None
    grid = grid_over([series for series, _ in (*one.a, *one.b)])
    return resample(one.a, one.b, grid, count=count)


def _correlation(one: _Looked) -> float | None:
    grid = grid_over([series for series, _ in (*one.a, *one.b)])
    curves = [mean_curve([series for series, _ in group], grid) for group in (one.a, one.b)]
    return spearman(*curves)


def _notes(a: Sequence[Curves], b: Sequence[Curves], axis: Axis) -> tuple[str, ...]:
    notes = [f"{run.name}: {note}" for run in (*a, *b) for note in run.notes]
    for run in (*a, *b):
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
    notes += _about_range([*a, *b], axis)
    return tuple(dict.fromkeys(notes))


def _about_range(runs: Sequence[Curves], axis: Axis) -> list[str]:
    ends = sorted((reach(run, axis), run.name) for run in runs)
    (shortest, first), (longest, last) = ends[0], ends[-1]
    if shortest > ALMOST * longest:
        return []
    return [
        f"compared only up to {shortest:.4g} on the axis ({LABELS[axis]}), where {first} ends; "
        f"{last} goes on to {longest:.4g}"
    ]


def _nothing_in_common(a: Sequence[Curves], b: Sequence[Curves]) -> DataError:
    return DataError(
        "the two sides have no compared metric in common",
        where=f"{a[0].source} and {b[0].source}",
        expected=f"one of: {', '.join(each.inner for each in COMPARED)}",
        found=f"{', '.join(a[0].series) or 'none'} against {', '.join(b[0].series) or 'none'}"[
            :300
        ],
        hint="check that both files are training metrics; unknown columns are not compared",
    )
