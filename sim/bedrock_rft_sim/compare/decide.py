"""The rule: same shape, different, or cannot tell.

For each metric two numbers are held against each other, gain and area (see
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
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from bedrock_rft_sim.compare.summary import Summary, shared_noise
from bedrock_rft_sim.stats import student

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Verdict = Literal["same shape", "different", "cannot tell"]
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
class Difference:
    """One number of two groups, held against each other."""

    measure: Measure
    a: float
    b: float
    standard_error: float
    degrees: float
    """Degrees of freedom of t; infinite where the spread between seeds is assumed."""
    p_different: float
    """Of no difference, before the adjustment for looking at several numbers."""
    p_same: float
    """Of a difference as large as the margin or larger."""
    possible: float
    """The largest difference not ruled out with 95 % confidence."""
    may_be_same: bool
    """Whether there are points and seeds enough for *same* to be said."""

    @property
    def value(self) -> float:
        """Return b minus a."""
        return self.b - self.a

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % confidence interval of b minus a."""
        reach = student.critical(ALPHA / 2, self.degrees) * self.standard_error
        return self.value - reach, self.value + reach


def differences(
    a: Sequence[Summary], b: Sequence[Summary], *, points: int, margin: float
) -> tuple[Difference, ...]:
    """Hold gain and area of two groups against each other; `points` is the shortest curve's."""
    may_be_same = points >= LEAST_POINTS and _enough_seeds(len(a), len(b))
    shared = shared_noise(a) + shared_noise(b)
    return tuple(
        _difference(
            a,
            b,
            measure,
            margin=margin,
            may_be_same=may_be_same,
            shared=float(shared[place, place]),
        )
        for place, measure in enumerate(MEASURES)
    )


def _enough_seeds(a: int, b: int) -> bool:
    return min(a, b) > 1 or max(a, b) >= LEAST_SEEDS


def _difference(
    a: Sequence[Summary],
    b: Sequence[Summary],
    measure: Measure,
    *,
    margin: float,
    may_be_same: bool,
    shared: float,
) -> Difference:
    values_a = [getattr(summary, measure) for summary in a]
    values_b = [getattr(summary, measure) for summary in b]
    mean_a, mean_b = math.fsum(values_a) / len(a), math.fsum(values_b) / len(b)
    gap = mean_b - mean_a
    error, degrees = _error(a, b, measure, shared=shared, assumed=1 in (len(a), len(b)))
    own, own_degrees = _error(a, b, measure, shared=shared, assumed=False)
    return Difference(
        measure=measure,
        a=mean_a,
        b=mean_b,
        standard_error=error,
        degrees=degrees,
        p_different=student.two_sided(gap / error, degrees) if error else float(gap == 0),
        p_same=_tail(margin - abs(gap), own, own_degrees),
        possible=abs(gap) + student.critical(ALPHA, own_degrees) * own,
        may_be_same=may_be_same,
    )


def _tail(room: float, error: float, degrees: float) -> float:
    return student.upper_tail(room / error, degrees) if error else float(room <= 0)


def _error(
    a: Sequence[Summary],
    b: Sequence[Summary],
    measure: Measure,
    *,
    shared: float,
    assumed: bool,
) -> tuple[float, float]:
    """Return the standard error of the difference of the two means, and its degrees of freedom."""
    place = MEASURES.index(measure)
    noise_a, noise_b = _noise(a, place), _noise(b, place)
    if min(len(a), len(b)) > 1:
        part_a = max(_spread(a, measure), noise_a) / len(a)
        part_b = max(_spread(b, measure), noise_b) / len(b)
        return math.sqrt(part_a + part_b + shared), student.welch_degrees(
            part_a, len(a), part_b, len(b)
        )
    many, noise, noise_one = (a, noise_a, noise_b) if len(a) > 1 else (b, noise_b, noise_a)
    spread, degrees = max(_spread(many, measure), noise), float(len(many) - 1)
    floor = ASSUMED_SEED_SPREAD**2 + noise
    if not degrees or (assumed and spread <= floor):
        spread, degrees = floor, math.inf
    one = spread + max(0.0, noise_one - noise)
    return math.sqrt(spread / len(many) + one + shared), degrees


def _noise(group: Sequence[Summary], place: int) -> float:
    return math.fsum(float(one.noise[place, place]) for one in group) / len(group)


def _spread(group: Sequence[Summary], measure: Measure) -> float:
    if len(group) == 1:
        return 0.0
    values = [getattr(summary, measure) for summary in group]
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def is_same(found: Sequence[Difference]) -> bool:
    """Whether every number lies within the margin with 95 % confidence, and may be said to."""
    return all(each.may_be_same and each.p_same <= ALPHA for each in found)


def surely_apart(found: Sequence[Difference], adjusted: Sequence[float]) -> list[Measure]:
    """Return the numbers that differ beyond chance, and by more than is known not to count."""
    return [
        each.measure
        for each, p in zip(found, adjusted, strict=True)
        if p <= ALPHA and each.p_same > ALPHA
    ]
