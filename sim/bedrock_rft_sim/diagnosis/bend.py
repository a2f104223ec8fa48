"""Where a curve stops rising: a rising line that bends into a level one, and how sure the bend is.

Least squares over every possible bend; the certainty comes from a moving-block bootstrap of the
residuals, seeded, so that the same numbers give the same words.

Sources: H. Künsch, The jackknife and the bootstrap for general stationary observations (1989).
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from bedrock_rft_sim.diagnosis.evidence import noise

BINS: Final = 50
"""Long runs are averaged down to this many points first."""
RESAMPLES: Final = 100
SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Bend:
    """A bend at a share of the run (0 to 1), and how the resamples scatter around it."""

    at: float
    low: float
    """10th percentile over the resamples."""
    high: float
    """90th percentile."""
    before: float
    """Height of the fitted line at the start."""
    level: float
    """Height after the bend."""
    strength: float
    """What the line explains, in variances of the step-to-step noise."""
    ends_early: float
    """Share of the resamples that bend before the last quarter."""


LAST_QUARTER: Final = 0.75


def find_bend(values: Sequence[float]) -> Bend:
    """Fit the bent line to at least four values in order."""
    y = _binned(values)
    place, start, slope, explained = _fit(y)
    fitted = [start + slope * min(index, place) for index in range(len(y))]
    residuals = [a - b for a, b in zip(y, fitted, strict=True)]
    rng = random.Random(SEED)  # noqa: S311 - a resampling, no secret
    spread = noise(y) ** 2
    again = [
        _fit([f + r for f, r in zip(fitted, _blocks(residuals, rng), strict=True)])
        for _ in range(RESAMPLES)
    ]
    last = len(y) - 1
    places = sorted(found for found, _, _, _ in again)
    return Bend(
        at=place / last,
        low=places[RESAMPLES // 10] / last,
        high=places[-1 - RESAMPLES // 10] / last,
        before=start,
        level=start + slope * place,
        strength=explained / spread if spread else math.inf,
        ends_early=fmean(float(found < LAST_QUARTER * last) for found in places),
    )


def _binned(values: Sequence[float]) -> list[float]:
    if len(values) <= BINS:
        return list(values)
    edges = [round(index * len(values) / BINS) for index in range(BINS + 1)]
    return [fmean(values[a:b]) for a, b in itertools.pairwise(edges)]


def _fit(y: Sequence[float]) -> tuple[int, float, float, float]:
    """Return the bend's index, the height at index 0, the slope before it, and what it explains."""
    n, total = len(y), math.fsum(y)
    best: tuple[float, int, float, float] | None = None
    for place in range(1, n):
        # x is min(index, place); its sums have closed forms.
        flat = n - place
        sum_x = place * (place - 1) / 2 + flat * place
        sum_xx = (place - 1) * place * (2 * place - 1) / 6 + flat * place * place
        sum_xy = sum(i * v for i, v in enumerate(y[:place])) + place * sum(y[place:])
        spread = sum_xx - sum_x * sum_x / n
        slope = (sum_xy - sum_x * total / n) / spread
        explained = slope * slope * spread
        if best is None or explained > best[0]:
            best = (explained, place, (total - slope * sum_x) / n, slope)
    assert best is not None
    return best[1], best[2], best[3], best[0]


def _blocks(residuals: Sequence[float], rng: random.Random) -> list[float]:
    """Draw blocks of neighbours with replacement until there are as many as before."""
    size = max(1, round(len(residuals) ** (1 / 3)))
    drawn: list[float] = []
    while len(drawn) < len(residuals):
        start = rng.randrange(len(residuals) - size + 1)
        drawn += residuals[start : start + size]
    return drawn[: len(residuals)]
