"""A number of an estimate: exact, measured with an interval, or only bounded from one side."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bedrock_rft_sim.stats.student import reach_of_mean

Basis = Literal["exact", "measured", "stated", "assumed", "lower bound", "upper bound"]


@dataclass(frozen=True)
class Quantity:
    """A value with what bounds it; None where that is not known."""

    value: float | None
    low: float | None
    high: float | None
    basis: Basis

    def times(self, factor: float) -> Quantity:
        """Return the quantity multiplied by a known, non-negative factor."""
        value, low, high = (None if each is None else each * factor for each in self._numbers())
        return Quantity(value, low, high, self.basis)

    def plus(self, other: Quantity) -> Quantity:
        """Return the sum; its ends are the sums of the ends, so the interval is a wide one."""
        pairs = zip(self._numbers(), other._numbers(), strict=True)
        value, low, high = (None if a is None or b is None else a + b for a, b in pairs)
        return Quantity(value, low, high, min(self.basis, other.basis, key=_WEAKEST_FIRST.index))

    def at_least(self, floor: Quantity) -> Quantity:
        """Return the quantity with each number raised to the floor's; what is unknown stays so."""
        pairs = zip(self._numbers(), floor._numbers(), strict=True)
        value, low, high = (a if a is None or b is None else max(a, b) for a, b in pairs)
        return Quantity(value, low, high, self.basis)

    def at_most(self, ceiling: float) -> Quantity:
        """Return the quantity with each number lowered to the ceiling, which is its upper end."""
        value, low, high = (None if a is None else min(a, ceiling) for a in self._numbers())
        return Quantity(value, low, ceiling if high is None else high, self.basis)

    def _numbers(self) -> tuple[float | None, float | None, float | None]:
        return self.value, self.low, self.high


_WEAKEST_FIRST: tuple[Basis, ...] = (
    "upper bound", "lower bound", "assumed", "measured", "stated", "exact",
)  # fmt: skip
REACH_MIN = 0.05
"""No measured interval is narrower, as a share of the mean: the steps of one run do not show by how
much another run on the same machine differs (two seeds of the quickstart did by 7 %)."""


def exact(value: float) -> Quantity:
    """Return a number that follows from the recipe and the data alone."""
    return Quantity(value, value, value, "exact")


def stated(value: float) -> Quantity:
    """Return a number that the user gave."""
    return Quantity(value, value, value, "stated")


def at_most(bound: float) -> Quantity:
    """Return a number of which only the upper bound is known."""
    return Quantity(None, None, bound, "upper bound")


def at_least(bound: float) -> Quantity:
    """Return a number of which only the lower bound is known."""
    return Quantity(None, bound, None, "lower bound")


def mean_over_units(values: Sequence[float]) -> Quantity | None:
    """Return the mean over a run's steps, validations or invocations, with its interval.

    None without a value, no interval for a single one. Student's t instead of the bootstrap,
    because a short run has two or three steps, from which a bootstrap draws far too narrow an
    interval.
    """
    if not values:
        return None
    mean, reach = statistics.fmean(values), reach_of_mean(values)
    if reach is None:
        return Quantity(mean, None, None, "measured")
    reach = max(reach, REACH_MIN * abs(mean))
    return Quantity(mean, max(0.0, mean - reach), mean + reach, "measured")
