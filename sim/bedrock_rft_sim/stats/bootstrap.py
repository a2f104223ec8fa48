"""The block bootstrap: noise whose neighbours may depend on each other, drawn again.

Sources: Künsch 1989 (moving blocks); Efron and Tibshirani 1993 (percentile intervals).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bedrock_rft_sim.stats.student import TAIL

Array = NDArray[np.float64]


@dataclass(frozen=True)
class BootstrapInterval:
    """A number and its 95 % bootstrap interval; None for what can't be known."""

    value: float | None
    low: float | None
    high: float | None


def interval_of(value: float | None, replicates: Array) -> BootstrapInterval:
    """Return the number with the percentiles of its replicates; NaN among them are left out."""
    known = replicates[~np.isnan(replicates)]
    if value is None or not len(known):
        return BootstrapInterval(value, None, None)
    low, high = np.quantile(known, [TAIL, 1 - TAIL])
    return BootstrapInterval(value, float(low), float(high))


def block_length(count: int) -> int:
    """Return the length of the moving blocks, which grows as the cube root of the series."""
    return min(max(2, round(count ** (1 / 3))), count)


def block_sums(values: Array) -> Array:
    """Return the sum of each moving block along the first axis."""
    length = block_length(len(values))
    total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
    sums: Array = total[length:] - total[:-length]
    return sums


def block_variance(residuals: Array) -> float:
    """Return the variance of the noise, with the dependence between neighbours, from block sums."""
    return float(np.mean(block_sums(residuals) ** 2) / block_length(len(residuals)))


def moving_blocks(residuals: Array, length: int, count: int, rng: np.random.Generator) -> Array:
    """Return replicates of the noise, (count, length), made of moving blocks."""
    size = block_length(len(residuals))
    starts = rng.integers(len(residuals) - size + 1, size=(count, -(-length // size)))
    places = (starts[:, :, None] + np.arange(size)).reshape(count, -1)[:, :length]
    drawn: Array = (residuals - residuals.mean())[places]
    return drawn
