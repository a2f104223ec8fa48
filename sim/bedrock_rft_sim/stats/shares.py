"""Means, percentiles and shares: Wilson's interval, what went unseen, how a share is written.

Sources: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927;
Hanley and Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 1983 (no event in
n trials).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

LEVEL: Final = 0.95
"""What an interval covers unless it says otherwise."""
Z: Final = 1.959963984540054
"""Of the standard normal distribution, at 97.5 %."""

Number = TypeVar("Number", int, float)


def mean(values: Iterable[float]) -> float | None:
    """Return the mean; None of nothing."""
    listed = list(values)
    return sum(listed) / len(listed) if listed else None


def weighted_mean(pairs: Iterable[tuple[float, float]]) -> float | None:
    """Return the mean of (value, weight); None where nothing has any weight."""
    listed = list(pairs)
    total = sum(weight for _, weight in listed)
    return sum(value * weight for value, weight in listed) / total if total else None


def percentile(values: Sequence[Number], share: float) -> Number:
    """Return the smallest of the values with at least `share` of all at or below it."""
    return sorted(values)[rank_at(share, len(values))]


def rank_at(share: float, count: int) -> int:
    """Return the index of a percentile among so many ordered values."""
    return min(count - 1, max(0, math.ceil(round(share * count, 9)) - 1))


def wilson(count: float, of: float) -> tuple[float, float]:
    """Return Wilson's interval for a share of independent trials, which need not be whole."""
    share = count / of
    centre = share + Z * Z / (2 * of)
    spread = Z * math.sqrt(share * (1 - share) / of + Z * Z / (4 * of * of))
    scale = 1 + Z * Z / of
    low = 0.0 if count == 0 else max(0.0, (centre - spread) / scale)
    high = 1.0 if count == of else min(1.0, (centre + spread) / scale)
    return low, high


def unseen(trials: int) -> float:
    """Return the largest share that 95 % certainly would have shown once in so many trials."""
    return float(1 - (1 - LEVEL) ** (1 / trials))


def counted(count: int, noun: str) -> str:
    """Write a count with its noun: 1 point, 2 points, 1,000 points."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def percent(share: float) -> str:
    """Write whole percents; a decimal under 10, so that a small share never reads as 0 %."""
    value = 100 * share
    if 0 < value < 0.1:  # noqa: PLR2004
        return "under 0.1 %"
    return f"{value:.1f} %" if 0 < value < 10 else f"{value:.0f} %"  # noqa: PLR2004
