"""The rule: same shape, different, or cannot tell.

For each metric three numbers are compared, gain, area and unrest (see
`bedrock_rft_sim.compare.summary`).

- *Same* is an equivalence test (two one-sided tests, Schuirmann 1987): the difference must lie
  within the margin with 95 % confidence, for each number. That something was not found different
  never makes it the same.
- *Different* is a t test of no difference, for unrest of a difference no larger than the margin,
  since another batch size alone makes steps noisier. Over all metrics and numbers the p-values are
  adjusted by Holm's weighted method, half of the 5 % for the training rewards, so that one
  comparison says *different* of anything at most 5 % of the time when nothing differs.
- Everything else is *cannot tell*.

The margin is 0.10: a tenth of the room above the start, or of the starting length or entropy. A
published figure can hardly be read more finely, the gain of the quickstart's reward varies by 0.03
between seeds, and half the margin would ask for four times the seeds.

Two tests must agree. One knows the seeds: t with the degrees of freedom that the spread between
runs leaves, plus whatever noise the runs of a side share or the single run has on top. The other
knows the steps: the noise left in the difference of the two mean curves, step by step, so that
what both sides see in the same order cancels. A single run on one side, such as a Bedrock job, is
taken to vary between seeds as the other side's runs do. Where no side has three runs, nothing
reliable is known of seeds: *different* then takes them to vary by 0.30, the most that is plausible.

Every function here works on many comparisons at once, (...) in the shapes below; M are the
measures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from bedrock_rft_sim.compare.summary import CurveSummary
from bedrock_rft_sim.stats import student
from bedrock_rft_sim.stats.bootstrap import block_length, block_variance
from bedrock_rft_sim.stats.student import Array

ShapeVerdict = Literal["same shape", "different", "cannot tell"]
Measure = Literal["gain", "area", "unrest"]
MEASURES: Final[tuple[Measure, ...]] = ("gain", "area", "unrest")
BOUNDED: Final = np.array([False, False, True])
"""Measures that differ only where they differ by more than the margin."""

ALPHA: Final = 0.05
MARGIN: Final = 0.10
LEAST_POINTS: Final = 10
"""Fewer points can't show the same shape."""
LEAST_POINTS_AT_ALL: Final = 4
"""Fewer points show no shape."""
LEAST_SEEDS: Final = 3
"""Runs of one side that tell the spread between seeds; fewer never show the same shape as one."""
PLAUSIBLE_SEED_SPREAD: Final = 0.30
"""Standard deviation between seeds that *different* allows for where no side tells it: of gains in
[-1, 1], one that leaves hardly two seeds alike."""

LEAST_TAIL: Final = 1e-300
MOST_T: Final = 1e9
"""Larger values of t are not told apart."""
HALVINGS: Final = 50


@dataclass(frozen=True)
class GroupMeasures:
    """One metric of one side: its runs in numbers, and what their steps' noise does to them."""

    values: Array
    """(..., runs, M)."""
    own: Array
    """Variance that noise of its own gives one run, (..., M)."""
    together: Array
    """Variance that all noise gives the mean of the runs, (..., M)."""
    residuals: Array | None = None
    """Mean over the runs, (..., n - 2); None where they have other numbers of points."""
    weights: Array | None = None
    """Mean over the runs, (..., 2, n)."""

    @property
    def runs(self) -> int:
        """Return how many they are."""
        return self.values.shape[-2]

    @property
    def spread(self) -> Array:
        """Return the variance between the runs, (..., M); two runs or more."""
        spread: Array = self.values.var(axis=-2, ddof=1)
        return spread


def side_of(values: Array, residuals: Array, weights: Array) -> GroupMeasures:
    """Return the side of runs with as many points each.

    Args:
        values: (..., runs, M).
        residuals: (..., runs, n - 2), as in `CurveSummary`.
        weights: (..., runs, 2, n), likewise.
    """
    runs, points = values.shape[-2], weights.shape[-1]
    mean, weight = residuals.mean(axis=-2), weights.mean(axis=-3)
    apart = residuals - mean[..., None, :] if runs > 1 else residuals
    own = block_variance(apart).mean(axis=-1) * (runs / (runs - 1) if runs > 1 else 1.0)
    reach = np.square(weight).sum(axis=-1)
    # The root mean square of n independent values varies by 1/2n of its square; twice that, since
    # the nearest monotone curve follows the noise.
    unrest = np.square(values[..., 2]).mean(axis=-1)[..., None] / points
    return GroupMeasures(
        values=values,
        own=np.concatenate([own[..., None] * reach, unrest], axis=-1),
        together=np.concatenate([block_variance(mean)[..., None] * reach, unrest / runs], axis=-1),
        residuals=mean,
        weights=weight,
    )


def side_of_group(group: Sequence[CurveSummary]) -> GroupMeasures:
    """Return the side of these runs."""

    def stacked(part: Sequence[CurveSummary]) -> GroupMeasures:
        return side_of(
            np.array([[one.gain, one.area, one.unrest] for one in part]),
            np.array([one.residuals for one in part]),
            np.array([one.weights for one in part]),
        )

    if len({one.weights.shape for one in group}) == 1:
        return stacked(group)
    alone = [stacked([one]) for one in group]
    own: Array = np.mean([one.own for one in alone], axis=0)
    values = np.concatenate([one.values for one in alone])
    return GroupMeasures(values=values, own=own, together=own / len(group))


def direction(side: GroupMeasures) -> Array:
    """Return -1, 0 or 1, (...): whether the gain is beyond what chance makes of none."""
    gain = side.values[..., 0].mean(axis=-1)
    reach = student.critical(ALPHA / 2, math.inf) * np.sqrt(side.together[..., 0])
    if side.runs > 1:
        seeds = student.critical(ALPHA / 2, side.runs - 1)
        reach = np.maximum(reach, seeds * np.sqrt(side.spread[..., 0] / side.runs))
    found: Array = np.sign(gain) * (np.abs(gain) > reach)
    return found


@dataclass(frozen=True)
class Error:
    """How far a difference of two means may be off by chance, (...).

    Two independent parts: one whose variance is estimated, with degrees of freedom, and one of
    known variance. A distance is passed as seldom as t^2 * estimated + z^2 * known says, which is
    never too often whatever the true variances are (Banerjee 1960).
    """

    estimated: Array
    degrees: Array
    known: Array

    @property
    def size(self) -> Array:
        """Return the standard error."""
        size: Array = np.sqrt(self.estimated + self.known)
        return size

    def reach(self, tail: Array | float) -> Array:
        """Return the distance that is passed in one direction with this chance."""
        t, z = (student.criticals(tail, df) for df in (self.degrees, np.asarray(math.inf)))
        reach: Array = np.sqrt(t**2 * self.estimated + z**2 * self.known)
        return reach

    def tail(self, distance: Array) -> Array:
        """Return the chance of being off by more than the distance, in one direction."""
        far = np.abs(distance)
        with np.errstate(divide="ignore", invalid="ignore"):
            both = np.where(far == 0, 0.0, far / np.sqrt(self.known))
            low, high = np.zeros_like(far), np.where(far == 0, 0.0, far / np.sqrt(self.estimated))
        alone = student.upper_tails(both, np.asarray(math.inf))
        if np.all(self.estimated == 0):
            return np.where(distance >= 0, alone, 1 - alone)
        high = np.minimum(high, MOST_T)
        for _ in range(HALVINGS):  # for the t at which the reach is the distance
            middle = (low + high) / 2
            tail = student.upper_tails(middle, self.degrees)
            z = student.criticals(np.maximum(tail, LEAST_TAIL), np.asarray(math.inf))
            short = middle**2 * self.estimated + z**2 * self.known < far**2
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        found = student.upper_tails(high, self.degrees)
        return np.where(distance >= 0, found, 1 - found)


@dataclass(frozen=True)
class ShapeTests:
    """The differences of many comparisons and what the tests say of them, (..., M)."""

    a: Array
    b: Array
    different: tuple[Error, Error]
    """What *different* has to be beyond, both of it."""
    equivalent: tuple[Error, Error]
    """What *same* and *cannot tell* allow for, both of it."""
    standard_error: Array
    degrees_of_freedom: Array
    p_different: Array
    p_same: Array
    largest_not_ruled_out: Array
    may_be_same: bool


def shape_tests(a: GroupMeasures, b: GroupMeasures, *, points: int, margin: float) -> ShapeTests:
    """Compare two sides in every measure; `points` is the shortest curve's."""
    mean_a, mean_b = a.values.mean(axis=-2), b.values.mean(axis=-2)
    gap = mean_b - mean_a
    distance = np.abs(gap)
    wide, seeds, steps = errors_of(a, b)
    beyond = np.where(BOUNDED, distance - margin, distance)
    sides = np.where(BOUNDED, 1.0, 2.0)
    different, equivalent = (wide, steps), (seeds, steps)
    return ShapeTests(
        a=mean_a,
        b=mean_b,
        different=different,
        equivalent=equivalent,
        standard_error=np.maximum(wide.size, steps.size),
        degrees_of_freedom=wide.degrees,
        p_different=sides * np.maximum(*(error.tail(beyond) for error in different)),
        p_same=np.maximum(*(error.tail(margin - distance) for error in equivalent)),
        largest_not_ruled_out=distance + np.maximum(*(error.reach(ALPHA) for error in equivalent)),
        may_be_same=points >= LEAST_POINTS and may_be_same(a.runs, b.runs),
    )


def errors_of(a: GroupMeasures, b: GroupMeasures) -> tuple[Error, Error, Error]:
    """Return the errors of the gap: by seeds for *different*, by seeds for *same*, by steps."""
    of_steps = _noise_of_gap(a, b)
    steps = Error(np.zeros_like(of_steps), np.full_like(of_steps, np.inf), of_steps)
    plausible = _plausible_error(a, b, of_steps)
    seeds = _seeds_error(a, b, of_steps) or plausible
    if max(a.runs, b.runs) < LEAST_SEEDS:
        return plausible, seeds, steps
    return replace(seeds, known=seeds.known * _unsure(a, b)), seeds, steps


def _unsure(a: GroupMeasures, b: GroupMeasures) -> float:
    """Return by how much a variance from blocks of steps is to be taken larger, to first order.

    It has about as many degrees of freedom as there are blocks: t^2 / z^2 is 1 + (z^2 + 1) / 2
    degrees (Cornish and Fisher), 4 over them at the level that Holm leaves.
    """
    points = [side.residuals.shape[-1] for side in (a, b) if side.residuals is not None]
    return 1 + 4 * block_length(min(points)) / min(points) if points else 1.0


def may_be_same(a: int, b: int) -> bool:
    """Whether so many runs may ever be called the same."""
    return min(a, b) > 1 or max(a, b) >= LEAST_SEEDS


def _noise_of_gap(a: GroupMeasures, b: GroupMeasures) -> Array:
    """Return the variance that the noise of the steps gives the difference, (..., M).

    Where both sides have as many points, it comes from the difference of the mean curves, in which
    the noise that both share cancels.
    """
    noise: Array = a.together + b.together
    if a.residuals is None or b.residuals is None or a.weights is None or b.weights is None:
        return noise
    if a.residuals.shape[-1] != b.residuals.shape[-1]:
        return noise
    weights = np.square((a.weights + b.weights) / 2).sum(axis=-1)
    of_levels = block_variance(b.residuals - a.residuals)[..., None] * weights
    return np.concatenate([of_levels, noise[..., 2:]], axis=-1)


def _seeds_error(a: GroupMeasures, b: GroupMeasures, of_steps: Array) -> Error | None:
    """Return the error by the spread between the runs, or None with one run a side.

    The spread holds each run's own noise. What the gap has beyond that, because the runs of a side
    share noise or the single run has more of it, comes on top.
    """
    known = [side for side in (a, b) if side.runs > 1]
    if not known:
        return None
    shares = [1 / a.runs + 1 / b.runs] if len(known) == 1 else [1 / a.runs, 1 / b.runs]
    parts = [share * side.spread for share, side in zip(shares, known, strict=True)]
    covered = sum(share * side.own for share, side in zip(shares, known, strict=True))
    stacked, counts = np.stack(parts, axis=-1), np.array([float(side.runs) for side in known])
    return Error(
        estimated=stacked.sum(axis=-1),
        degrees=student.welch_degrees(stacked, counts),
        known=np.maximum(0.0, of_steps - covered),
    )


def _plausible_error(a: GroupMeasures, b: GroupMeasures, of_steps: Array) -> Error:
    between = PLAUSIBLE_SEED_SPREAD**2 * (1 / a.runs + 1 / b.runs)
    none = np.zeros_like(of_steps)
    return Error(none, np.full_like(of_steps, np.inf), between + of_steps)


@dataclass(frozen=True)
class ShapeDifference:
    """Gain, area or unrest of two groups, compared."""

    measure: Measure
    a: float
    b: float
    b_minus_a: float
    low: float
    """Of the confidence interval of b minus a that the verdict rests on; see `interval`."""
    high: float
    confidence: float
    """Of that interval."""
    standard_error: float
    degrees_of_freedom: float
    """Of t; infinite where the spread between seeds is assumed."""
    p_different: float
    """Of no difference, for unrest of one within the margin, before the adjustment for looking at
    several numbers."""
    p_different_adjusted: float
    """The same, adjusted by Holm's method over the whole comparison."""
    p_same: float
    """Of a difference as large as the margin or larger."""
    largest_not_ruled_out: float
    """The largest difference not ruled out with 95 % confidence."""
    may_be_same: bool
    """Whether there are points and seeds enough for *same* to be said."""

    def as_json(self) -> dict[str, Any]:
        """Return plain data without the measure; infinite degrees are None."""
        found = asdict(self)
        del found["measure"]
        is_known = math.isfinite(self.degrees_of_freedom)
        return found | {"degrees_of_freedom": self.degrees_of_freedom if is_known else None}


def interval(
    found: ShapeTests, adjusted: Array, verdict: ShapeVerdict
) -> tuple[Array, Array, Array]:
    """Return the interval of b minus a that the verdict rests on, and its confidence, (..., M).

    For *different* at the level that Holm's method left for each number: it excludes 0, for unrest
    all up to the margin, just where that number is beyond chance. Else that of two one-sided tests:
    it lies within the margin just where they say so.
    """
    tail = np.full_like(found.a, ALPHA)
    if verdict == "different":
        with np.errstate(divide="ignore", invalid="ignore"):
            left = np.where(found.p_different > 0, found.p_different / adjusted, 1.0)
        tail = ALPHA * left / np.where(BOUNDED, 1.0, 2.0)
    errors = found.different if verdict == "different" else found.equivalent
    reach = np.maximum(*(error.reach(tail) for error in errors))
    gap = found.b - found.a
    return gap - reach, gap + reach, 1 - 2 * tail


def differences(
    found: ShapeTests, adjusted: Array, verdict: ShapeVerdict
) -> tuple[ShapeDifference, ...]:
    """Return one comparison's tests, (M,), with their adjusted p-values, measure by measure."""
    low, high, confidence = interval(found, adjusted, verdict)
    return tuple(
        ShapeDifference(
            measure=measure,
            a=float(found.a[place]),
            b=float(found.b[place]),
            b_minus_a=float(found.b[place] - found.a[place]),
            low=float(low[place]),
            high=float(high[place]),
            confidence=float(confidence[place]),
            standard_error=float(found.standard_error[place]),
            degrees_of_freedom=float(found.degrees_of_freedom[place]),
            p_different=float(found.p_different[place]),
            p_different_adjusted=float(adjusted[place]),
            p_same=float(found.p_same[place]),
            largest_not_ruled_out=float(found.largest_not_ruled_out[place]),
            may_be_same=found.may_be_same,
        )
        for place, measure in enumerate(MEASURES)
    )


def adjusted(found: Sequence[ShapeTests], *, first: int | None) -> list[Array]:
    """Return each metric's p-values of no difference, adjusted over all of them, (..., M).

    `first` is the place of the training rewards, which get half of the error there is to share;
    None where they were not tested.
    """
    others = len(found) - (first is not None)
    weights = np.ones((len(found), len(MEASURES)))
    if first is not None:
        weights[first] = max(1, others)
    p_values = np.concatenate([one.p_different for one in found], axis=-1)
    together = student.holm(np.minimum(1.0, p_values), weights.ravel())
    return np.split(together, len(found), axis=-1)


def is_same(found: ShapeTests) -> NDArray[np.bool_]:
    """Whether every number lies within the margin with 95 % confidence, and may be said to."""
    within: NDArray[np.bool_] = np.all(found.p_same <= ALPHA, axis=-1)
    return np.logical_and(within, found.may_be_same)


def apart(found: ShapeTests, adjusted_p: Array) -> NDArray[np.bool_]:
    """Return which numbers, (..., M), differ beyond chance and are not known to lie within."""
    sure: NDArray[np.bool_] = (adjusted_p <= ALPHA) & (found.p_same > ALPHA)
    return sure
