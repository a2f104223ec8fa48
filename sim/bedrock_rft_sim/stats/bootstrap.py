"""The block bootstrap: noise whose neighbours may depend on each other, drawn again.

Sources: Künsch 1989 (moving blocks); Efron and Tibshirani 1993 (percentile intervals).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bedrock_rft_sim.stats.student import TAIL, Array


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
    """Return the sum of each moving block along the last axis."""
    length = block_length(values.shape[-1])
    total = np.concatenate([np.zeros((*values.shape[:-1], 1)), np.cumsum(values, axis=-1)], axis=-1)
    sums: Array = total[..., length:] - total[..., :-length]
    return sums


def block_variance(residuals: Array) -> Array:
    """Return the variance of noise, (...), with the dependence between neighbours in (..., n)."""
    sums: Array = np.mean(block_sums(residuals) ** 2, axis=-1) / block_length(residuals.shape[-1])
    return sums


def moving_blocks(residuals: Array, length: int, count: int, rng: np.random.Generator) -> Array:
    """Return replicates of the noise, (count, length), made of moving blocks."""
    size = block_length(len(residuals))
    starts = rng.integers(len(residuals) - size + 1, size=(count, -(-length // size)))
    places = (starts[:, :, None] + np.arange(size)).reshape(count, -1)[:, :length]
    drawn: Array = (residuals - residuals.mean())[places]
    return drawn
