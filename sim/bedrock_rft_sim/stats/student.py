"""Student's t and what tests share: tails, critical values, the 95 % interval of a mean, Holm.

Infinitely many degrees of freedom make it the normal distribution.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Final

LEVEL: Final = 0.95
"""What an interval covers unless it says otherwise."""
TAIL: Final = 0.025
"""On each side of it."""
LEAST_VALUES: Final = 2
"""Fewer show no spread."""


def upper_tail(t: float, df: float) -> float:
    """Return P(T > t) for `df` degrees of freedom."""
    from scipy import special

    return float(special.stdtr(df, -t))


def two_sided(t: float, df: float) -> float:
    """Return P(|T| > |t|)."""
    return 2 * upper_tail(abs(t), df)


def critical(tail: float, df: float) -> float:
    """Return the t that leaves `tail` above it."""
    from scipy import special

    return -float(special.stdtrit(df, tail))


def standard_error(values: Sequence[float]) -> float | None:
    """Return the standard error of a mean; None of fewer than two values."""
    if len(values) < LEAST_VALUES:
        return None
    return statistics.stdev(values) / math.sqrt(len(values))


def reach_of_mean(values: Sequence[float]) -> float | None:
    """Return half the width of the 95 % interval of a mean; None of fewer than two values."""
    error = standard_error(values)
    return None if error is None else critical(TAIL, len(values) - 1) * error


def welch_degrees(part_a: float, a: int, part_b: float, b: int) -> float:
    """Return Welch's degrees of freedom: each part is a variance over its number of values."""
    total = part_a + part_b
    if not total:
        return float(a + b - 2)
    return total**2 / (part_a**2 / (a - 1) + part_b**2 / (b - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted so that all together err as seldom as one (Holm 1979)."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
