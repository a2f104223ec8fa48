"""Where a curve stops rising: a rising line that bends into a level one, and how sure the bend is.

Least squares over every possible bend; the certainty comes from a moving-block bootstrap of the
residuals, seeded, so that the same numbers give the same words. Axis suffixes: `_R` resamples,
`_P` places of the bend, `_N` values in order.

Sources: H. Künsch, The jackknife and the bootstrap for general stationary observations (1989).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from bedrock_rft_sim.diagnosis.evidence import noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

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
    scatter: float
    """Standard deviation of the values about the line."""
    ends_early: float
    """Share of the resamples that bend before the last quarter."""


LAST_QUARTER: Final = 0.75


def find_bend(values: Sequence[float]) -> Bend:
    """Fit the bent line to at least four values in order."""
    import numpy as np

    binned = _binned(values)
    y = np.array(binned)
    place, start, slope, explained = (each[0] for each in _fit(y[None]))
    fitted = start + slope * np.minimum(np.arange(len(y)), place)
    rng = random.Random(SEED)  # noqa: S311 - a resampling, no secret
    residuals = (y - fitted).tolist()
    places_R, *_ = _fit(fitted + np.array([_blocks(residuals, rng) for _ in range(RESAMPLES)]))
    shares_R = np.sort(places_R) / (len(y) - 1)
    spread = noise(binned) ** 2
    return Bend(
        at=float(place / (len(y) - 1)),
        low=float(shares_R[RESAMPLES // 10]),
        high=float(shares_R[-1 - RESAMPLES // 10]),
        before=float(start),
        level=float(start + slope * place),
        scatter=_scatter(values, len(y), place, start, slope),
        strength=float(explained) / spread if spread else 0.0,  # without noise it is constant
        ends_early=float((shares_R < LAST_QUARTER).mean()),
    )


def _scatter(values: Sequence[float], bins: int, place: Any, start: Any, slope: Any) -> float:
    """Return how far the values themselves, not their bins, lie from the line."""
    import numpy as np

    at = (np.arange(len(values)) + 0.5) * (bins / len(values)) - 0.5
    return float((np.asarray(values) - start - slope * np.minimum(at, place)).std())


def _binned(values: Sequence[float]) -> list[float]:
    if len(values) <= BINS:
        return list(values)
    edges = [round(index * len(values) / BINS) for index in range(BINS + 1)]
    return [fmean(values[a:b]) for a, b in itertools.pairwise(edges)]


def _fit(y_RN: Array) -> tuple[Array, Array, Array, Array]:
    """Return by row the bend's index, the height at 0, the slope before it, what it explains."""
    import numpy as np

    rows, length = y_RN.shape
    x_PN = np.minimum(np.arange(length), np.arange(1, length)[:, None])  # a row for every bend
    centred_PN = x_PN - x_PN.mean(axis=1, keepdims=True)
    spread_P = (centred_PN**2).sum(axis=1)
    slopes_RP = y_RN @ centred_PN.T / spread_P
    explained_RP = slopes_RP**2 * spread_P
    best_R = explained_RP.argmax(axis=1)
    slope_R, explained_R = (each[np.arange(rows), best_R] for each in (slopes_RP, explained_RP))
    start_R = y_RN.mean(axis=1) - slope_R * x_PN.mean(axis=1)[best_R]
    return best_R + 1, start_R, slope_R, explained_R


def _blocks(residuals: Sequence[float], rng: random.Random) -> list[float]:
    """Draw blocks of neighbours with replacement until there are as many as before."""
    size = max(1, round(len(residuals) ** (1 / 3)))
    drawn: list[float] = []
    while len(drawn) < len(residuals):
        start = rng.randrange(len(residuals) - size + 1)
        drawn += residuals[start : start + size]
    return drawn[: len(residuals)]
