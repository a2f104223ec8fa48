"""Student's t and what tests share: tails, critical values, the 95 % interval of a mean, Holm.

Infinitely many degrees of freedom make it the normal distribution.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TAIL: Final = 0.025
"""On each side of it."""
LEAST_VALUES: Final = 2
"""Fewer show no spread."""


def upper_tails(t: Array, df: Array) -> Array:
    """Return P(T > t) for `df` degrees of freedom, element by element."""
    from scipy import special

    found: Array = special.stdtr(df, -np.asarray(t))
    return found


def upper_tail(t: float, df: float) -> float:
    """Return P(T > t) for `df` degrees of freedom."""
    return float(upper_tails(np.asarray(t), np.asarray(df)))


def criticals(tail: Array | float, df: Array) -> Array:
    """Return the t that leaves `tail` above it, element by element."""
    from scipy import special

    found: Array = -(special.ndtri(tail) if np.all(np.isinf(df)) else special.stdtrit(df, tail))
    return found


def critical(tail: float, df: float) -> float:
    """Return the t that leaves `tail` above it."""
    return float(criticals(tail, np.asarray(df)))


def standard_error(values: Sequence[float]) -> float | None:
    """Return the standard error of a mean; None of fewer than two values."""
    if len(values) < LEAST_VALUES:
        return None
    return statistics.stdev(values) / math.sqrt(len(values))


def reach_of_mean(values: Sequence[float]) -> float | None:
    """Return half the width of the 95 % interval of a mean; None of fewer than two values."""
    error = standard_error(values)
    return None if error is None else critical(TAIL, len(values) - 1) * error


def welch_degrees(parts: Array, counts: Array) -> Array:
    """Return Welch's degrees of freedom, (...).

    Args:
        parts: variances over their numbers of values, (..., k).
        counts: the numbers of values, (k,).
    """
    total = parts.sum(axis=-1)
    lost = (parts**2 / (counts - 1)).sum(axis=-1)
    degrees: Array = np.divide(total**2, lost, out=np.full_like(total, np.inf), where=lost > 0)
    return degrees


def holm(p_values: Array, weights: Array) -> Array:
    """Return the p-values, (..., m), adjusted so that all together err as seldom as one.

    Holm 1979, with his weights: a number of twice the weight gets twice the share of the error.
    """
    order = np.argsort(p_values / weights, axis=-1)
    sorted_p, sorted_weights = (
        np.take_along_axis(np.broadcast_to(each, p_values.shape), order, axis=-1)
        for each in (p_values, weights)
    )
    left = np.flip(np.cumsum(np.flip(sorted_weights, -1), axis=-1), -1)
    steps = np.maximum.accumulate(sorted_p * left / sorted_weights, axis=-1)
    adjusted = np.empty_like(p_values)
    np.put_along_axis(adjusted, order, np.minimum(1.0, steps), axis=-1)
    return adjusted
