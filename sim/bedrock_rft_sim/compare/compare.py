"""Compare two groups of runs, metric by metric.

It compares shapes and never heights: another model starts elsewhere. The rule stands in
`bedrock_rft_sim.compare.decide`; here is what it is applied to.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Final

import numpy as np

from bedrock_rft_sim.compare import decide, summary
from bedrock_rft_sim.compare import needed as need
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
from bedrock_rft_sim.compare.series.curve import listed
from bedrock_rft_sim.compare.words import TRAINING_REWARD, in_all, of_metric
from bedrock_rft_sim.contract.metrics import Metric, metric
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.stats.shares import counted
from bedrock_rft_sim.stats.student import Array

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
SECOND_OPINIONS: Final = ("local_also_graded", "local_validation_also_graded")
"""Compared where both sides have them, each reward by itself."""
HIGHEST_SEEN: Final = "critic_rewards_max"
USUAL_TOP: Final = 1.0
"""The top of the scale that `rft audit` asks a reward to keep to."""
MOST_BEYOND: Final = 0.1
"""Share of a run's steps at which a grade may lie beyond that top, as a slip."""
ROUNDING: Final = 1e-9
ALMOST: Final = 0.95
"""Runs that end within this share of each other count as equally long."""
DIRECTIONS: Final = {-1: "falling", 0: "level", 1: "rising"}
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
        top: the greatest possible reward; None takes 1, never what was seen.
        resamples: bootstrap replicates; 0 leaves out the bootstrap and what it would take to know.

    Raises:
        DataError: the two sides have no compared metric in common, a run stands twice on one, or
            grades lie beyond a top that nobody gave.
    """
    for group in (a, b):
        _check_seeds(group)
    chosen = choose((a, b), axis)
    highest = _highest(top)
    beyond = _beyond_top([*a, *b], highest, is_given=top is not None)
    metrics = (*COMPARED, *_second_opinions(a, b))
    placed = [_place(each, a, b, axis=chosen, top=highest) for each in metrics]
    if not any(one.side_a and one.side_b for one in placed):
        raise _nothing_in_common(a, b)
    tested = [one for one in placed if not one.reason]
    tests = [one.tests(margin) for one in tested]
    names = [one.metric.inner for one in tested]
    first = names.index(TRAINING_REWARD) if TRAINING_REWARD in names else None
    adjusted = decide.adjusted(tests, first=first) if tests else []
    found = dict(zip(names, zip(tests, adjusted, strict=True), strict=True))
    jobs = None if all(run.kind == "run" for run in b) else len(b)
    judged = tuple(
        _judge(one, found.get(one.metric.inner), margin, resamples, jobs) for one in placed
    )
    verdict, words = in_all(judged, margin=margin)
    return Comparison(
        verdict=verdict,
        words=words,
        a=tuple(run.name for run in a),
        b=tuple(run.name for run in b),
        axis=chosen,
        margin=margin,
        top_reward=highest,
        metrics=judged,
        notes=(*_twice(a, b), *_notes([*a, *b], chosen), *beyond, *_left_out(placed, (a, b))),
        unknown={run.source: run.unknown for run in (*a, *b) if run.unknown},
    )


def is_reward(name: str) -> bool:
    """Whether a metric has the scale of a reward, so that its gain is one of the room above it."""
    return name in REWARDS or name.partition("/")[0] in SECOND_OPINIONS


def _second_opinions(a: Sequence[Curves], b: Sequence[Curves]) -> Iterator[Metric]:
    known = dict.fromkeys(name for run in a for name in run.series)
    for name in known:
        table = name.partition("/")[0]
        if table in SECOND_OPINIONS and any(name in run.series for run in b):
            yield replace(metric(table), inner=name)


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


def _highest(top: float | None) -> float:
    if top is not None and not math.isfinite(top):
        expected = "the greatest possible reward, a finite number"
        raise DataError("the top is no such number", expected=expected, found=repr(top))
    return USUAL_TOP if top is None else top


def _beyond_top(runs: Sequence[Curves], top: float, *, is_given: bool) -> list[str]:
    """Return notes on grades beyond the top; refuse many of them where no top is given.

    One absurd grade says nothing of the scale, and the step it spoils is left out.
    """
    notes = []
    for run in runs:
        curves = [run.series[name] for name in (*REWARDS, HIGHEST_SEEN) if name in run.series]
        pairs = [pair for each in curves for pair in zip(each.steps, each.values, strict=True)]
        beyond = {step: value for step, value in pairs if value > top * (1 + ROUNDING)}
        if not beyond:
            continue
        steps = len({step for step, _ in pairs})
        step, highest = max(beyond.items(), key=lambda pair: pair[1])
        if not is_given and len(beyond) > MOST_BEYOND * steps:
            raise DataError(
                f"grades lie beyond {top:g} at {len(beyond)} of {steps} steps",
                where=run.source,
                expected=f"rewards up to {top:g}, the top where none is given",
                found=f"{highest:g} at step {step}",
                hint="give the greatest reward that is possible, not the greatest seen: --top X",
            )
        notes.append(
            f"{run.name}: grades beyond the top of {top:g} at {len(beyond)} of {steps} steps, "
            f"{highest:g} at step {step}"
        )
    return notes


def _left_out(placed: Sequence[_Placed], groups: Sequence[Sequence[Curves]]) -> list[str]:
    """Return notes on steps that stood far off their neighbours."""
    return [
        f"{run.name}: {one.metric.console_title or one.metric.inner} stand far off their "
        f"neighbours at {', '.join(f'{each.series.x[place]:.4g}' for place in each.left_out)} on "
        "the axis; there the neighbours' line is taken"
        for one in placed
        for group, summed in zip(groups, (one.a, one.b), strict=True)
        for run, each in zip(_having(group, one.metric), summed, strict=False)
        if each.left_out
    ]


def _having(group: Sequence[Curves], each: Metric) -> list[Curves]:
    return [run for run in group if each.inner in run.series]


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

    def tests(self, margin: float) -> decide.ShapeTests:
        sides = [decide.side_of_group(group) for group in (self.a, self.b)]
        return decide.shape_tests(*sides, points=self.points, margin=margin)

    @property
    def points(self) -> int:
        return self.side_a.points if self.side_a else 0


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
    both = [one for group in inside for one in group]
    points = min(len(one.x) for one in both)
    if points < decide.LEAST_POINTS_AT_ALL:
        least, common = decide.LEAST_POINTS_AT_ALL, counted(points, "point")
        reason = f"{common} in common; fewer than {least} show no shape"
        return _unjudged(each, placed, reason)
    limit = top if is_reward(each.inner) else None
    if each.inner not in REWARDS and limit and any(one.y.max() > limit for one in both):
        return _unjudged(each, inside, f"its grades lie beyond the top of {limit:g}")
    summed = [[summary.summarise(thin(one), top=limit) for one in group] for group in inside]
    known = [[one for one in group if one is not None] for group in summed]
    if any(one is None for group in summed for one in group):
        reason = "it begins at 0, so there is no relative change"
        if limit:
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
    side = decide.side_of_group(group)
    direction = DIRECTIONS[int(decide.direction(side))]
    start, end = (fmean(getattr(one, name) for one in group) for name in ("start", "end"))
    return SideSummary(
        runs=len(group),
        points=points,
        start=start,
        end=end,
        gain=fmean(one.gain for one in group),
        area=fmean(one.area for one in group),
        unrest=fmean(one.unrest for one in group),
        direction=direction,
        plateau=None if direction == "level" else _plateau(group, start, end),
    )


def _plateau(group: Sequence[summary.CurveSummary], start: float, end: float) -> float:
    curves = [one.series for one in group]
    way = (summary.mean_curve(curves, summary.grid_over(curves)) - start) / (end - start)
    # The last fifth makes up the level at the end; what happens within it is noise around it.
    before = way[: int(summary.GRID * (1 - summary.WINDOW))]
    short = [index for index, share in enumerate(before) if share < ARRIVED]
    return float(((short[-1] + 1) if short else 0) / (summary.GRID - 1))


def _judge(
    one: _Placed,
    found: tuple[decide.ShapeTests, Array] | None,
    margin: float,
    resamples: int,
    jobs: int | None,
) -> MetricComparison:
    verdict: decide.ShapeVerdict = "cannot tell"
    words, bootstrap, needed = one.reason, None, None
    differences: tuple[decide.ShapeDifference, ...] = ()
    if found and one.side_a and one.side_b:
        tests, adjusted = found
        grid = summary.grid_over([each.series for each in (*one.a, *one.b)])
        correlation = rank_correlation(one.a, one.b, grid)
        verdict, words = of_metric(
            one.side_a, one.side_b, tests, adjusted, correlation=correlation, margin=margin
        )
        differences = decide.differences(tests, adjusted, verdict)
        bootstrap = resample(one.a, one.b, grid, count=resamples) if resamples else None
        if verdict == "cannot tell" and resamples and one.metric.inner == TRAINING_REWARD:
            needed = _needed(one, margin, jobs)
            words = f"{words}; {needed.words()}"
    return MetricComparison(
        metric=one.metric.inner,
        title=one.metric.console_title or one.metric.inner,
        verdict=verdict,
        words=words,
        a=one.side_a,
        b=one.side_b,
        differences=differences,
        bootstrap=bootstrap,
        needed=needed,
    )


def _needed(one: _Placed, margin: float, jobs: int | None) -> need.Needed:
    a, b = (decide.side_of_group(group) for group in (one.a, one.b))
    _, seeds, of_steps = decide.errors_of(a, b)
    shared = seeds.known if max(a.runs, b.runs) > 1 else of_steps.known - a.own - b.own
    noise = need.measured(a, b, steps=one.points, known=np.maximum(0.0, shared))
    return need.needed(noise, a.runs, b.runs, margin=margin, jobs=jobs)


def noise_of(runs: Sequence[Curves], *, top: float | None = None) -> need.Noise:
    """Return what makes the training rewards of these runs differ, for a plan.

    Raises:
        DataError: they have no rewards, too few steps or nothing to gain, or a run stands twice.
    """
    _check_seeds(runs)
    highest = _highest(top)
    _beyond_top(runs, highest, is_given=top is not None)
    placed = _place(metric(TRAINING_REWARD), runs, runs, axis=choose((runs,), None), top=highest)
    if placed.reason:
        raise DataError(
            "no noise can be taken from these runs",
            where=runs[0].source,
            expected=f"{TRAINING_REWARD} that can be judged",
            found=placed.reason,
        )
    side = decide.side_of_group(placed.a)
    shared = np.maximum(0.0, side.together - side.own / side.runs)
    return need.measured(side, side, steps=placed.points, known=2 * shared)


def _twice(a: Sequence[Curves], b: Sequence[Curves]) -> list[str]:
    """Name the runs that stand on both sides."""
    there = {run.source for run in b}
    return [
        f"{run.name} stands on both sides, and is alike to itself whatever the recipes do"
        for run in a
        if run.source in there
    ]


def _notes(runs: Sequence[Curves], axis: Axis) -> tuple[str, ...]:
    notes = [f"{run.name}: {note}" for run in runs for note in run.notes]
    for run in runs:
        if run.unknown:
            notes.append(
                f"{run.name}: series without a name here, not compared ({len(run.unknown)}): "
                f"{listed(run.unknown)}"
            )
        if run.repeated_steps:
            steps = counted(run.repeated_steps, "step")
            notes.append(f"{run.name}: {steps} came more than once; the last was taken")
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
