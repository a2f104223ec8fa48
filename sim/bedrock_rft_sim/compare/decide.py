"""The rule: same shape, different, or cannot tell.

For each metric two numbers are compared, gain and area (see
`bedrock_rft_sim.compare.summary`).

- *Same* is an equivalence test (two one-sided tests, Schuirmann 1987): the difference must lie
  within the margin with 95 % confidence, for gain and for area. That something was not found
  different never makes it the same.
- *Different* is a t test of no difference; over all metrics and both numbers the p-values are
  adjusted by Holm's method, so that one comparison says *different* of anything at most 5 % of
  the time when nothing differs.
- Everything else is *cannot tell*.

The margin is 0.10: a tenth of the room above the start, or of the starting length or entropy. A
published figure can hardly be read more finely, the gain of the quickstart's reward varies by 0.014
between seeds, and half the margin would ask for four times the seeds.

How sure the numbers are comes from the spread between seeds, but never from less than the noise of
the steps, and never from averaging noise that the seeds share. A single run on one side, such as a
Bedrock job, is taken to vary between seeds as the other side's runs do. A few seeds tell that
spread badly, so *different* then takes it for no smaller than 0.10, and asks no more than that of
it; with one run on both sides nothing is known of seeds but this, and *same* can't be said.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from bedrock_rft_sim.compare.summary import CurveSummary, shared_noise
from bedrock_rft_sim.stats import student

ShapeVerdict = Literal["same shape", "different", "cannot tell"]
Measure = Literal["gain", "area"]
MEASURES: Final[tuple[Measure, ...]] = ("gain", "area")

ALPHA: Final = 0.05
MARGIN: Final = 0.10
LEAST_POINTS: Final = 10
"""Fewer points can't show the same shape."""
LEAST_POINTS_AT_ALL: Final = 4
"""Fewer points show no shape."""
LEAST_SEEDS: Final = 3
"""Runs that the larger side needs before a single run may be called the same."""
ASSUMED_SEED_SPREAD: Final = 0.10
"""Standard deviation of gain and area between seeds where one run a side shows none."""


@dataclass(frozen=True)
class AcrossRuns:
    """One number over the runs of a group."""

    runs: int
    mean: float
    spread: float
    """Variance between the runs; 0 where a single run shows none."""
    noise: float
    """Variance that the noise of the steps alone gives, mean over the runs."""

    @property
    def variance(self) -> float:
        """The spread between runs, but never less than the noise of the steps."""
        return max(self.spread, self.noise)


@dataclass(frozen=True)
class ShapeDifference:
    """Gain or area of two groups, compared."""

    measure: Measure
    a: float
    b: float
    b_minus_a: float
    low: float
    """Of the 95 % confidence interval of b minus a."""
    high: float
    standard_error: float
    degrees_of_freedom: float
    """Of t; infinite where the spread between seeds is assumed."""
    p_different: float
    """Of no difference, before the adjustment for looking at several numbers."""
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


def across_runs(group: Sequence[CurveSummary], measure: Measure) -> AcrossRuns:
    """Return gain or area over the runs of a group."""
    place = MEASURES.index(measure)
    values = [getattr(one, measure) for one in group]
    return AcrossRuns(
        runs=len(group),
        mean=statistics.fmean(values),
        spread=statistics.variance(values) if len(values) > 1 else 0.0,
        noise=statistics.fmean(float(one.noise[place, place]) for one in group),
    )


def differences(
    a: Sequence[CurveSummary], b: Sequence[CurveSummary], *, points: int, margin: float
) -> tuple[ShapeDifference, ...]:
    """Compare gain and area of two groups; `points` is the shortest curve's."""
    seeds = sorted((len(a), len(b)))
    may_be_same = points >= LEAST_POINTS and (seeds[0] > 1 or seeds[1] >= LEAST_SEEDS)
    shared = shared_noise(a) + shared_noise(b)
    return tuple(
        _difference(a, b, measure, float(shared[place, place]), margin, may_be_same=may_be_same)
        for place, measure in enumerate(MEASURES)
    )


def _difference(
    a: Sequence[CurveSummary],
    b: Sequence[CurveSummary],
    measure: Measure,
    shared: float,
    margin: float,
    *,
    may_be_same: bool,
) -> ShapeDifference:
    one, other = across_runs(a, measure), across_runs(b, measure)
    gap = other.mean - one.mean
    error, degrees = _error(one, other, shared, assumed=1 in (one.runs, other.runs))
    own, own_degrees = _error(one, other, shared, assumed=False)
    p_different = student.two_sided(gap / error, degrees) if error else float(gap == 0)
    room, reach = margin - abs(gap), student.critical(ALPHA / 2, degrees) * error
    return ShapeDifference(
        measure=measure,
        a=one.mean,
        b=other.mean,
        b_minus_a=gap,
        low=gap - reach,
        high=gap + reach,
        standard_error=error,
        degrees_of_freedom=degrees,
        p_different=p_different,
        p_different_adjusted=p_different,
        p_same=student.upper_tail(room / own, own_degrees) if own else float(room <= 0),
        largest_not_ruled_out=abs(gap) + student.critical(ALPHA, own_degrees) * own,
        may_be_same=may_be_same,
    )


def _error(a: AcrossRuns, b: AcrossRuns, shared: float, *, assumed: bool) -> tuple[float, float]:
    """Return the standard error of the difference of the two means, and its degrees of freedom."""
    if min(a.runs, b.runs) > 1:
        part_a, part_b = a.variance / a.runs, b.variance / b.runs
        degrees = student.welch_degrees(part_a, a.runs, part_b, b.runs)
        return math.sqrt(part_a + part_b + shared), degrees
    many, single = (a, b) if a.runs > 1 else (b, a)
    spread, degrees = many.variance, float(many.runs - 1)
    floor = ASSUMED_SEED_SPREAD**2 + many.noise
    if not degrees or (assumed and spread <= floor):
        spread, degrees = floor, math.inf
    alone = spread + max(0.0, single.noise - many.noise)
    return math.sqrt(spread / many.runs + alone + shared), degrees


def adjusted(found: Sequence[tuple[ShapeDifference, ...]]) -> list[tuple[ShapeDifference, ...]]:
    """Return the differences of every metric, their p-values adjusted by Holm's method."""
    p_values = iter(student.holm([one.p_different for each in found for one in each]))
    return [
        tuple(replace(one, p_different_adjusted=next(p_values)) for one in each) for each in found
    ]


def is_same(found: Sequence[ShapeDifference]) -> bool:
    """Whether every number lies within the margin with 95 % confidence, and may be said to."""
    return all(each.may_be_same and each.p_same <= ALPHA for each in found)


def surely_apart(found: Sequence[ShapeDifference]) -> list[Measure]:
    """Return the numbers that differ beyond chance, and by more than is known not to count."""
    return [each.measure for each in found if each.p_different_adjusted <= ALPHA < each.p_same]
