"""Bootstrap over seeds and over steps: intervals that assume no law of the noise.

A replicate draws runs with replacement and, within each, moving blocks of what smoothing left,
laid on the smoothed curve. The verdict does not depend on it; the intervals are shown beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bedrock_rft_sim.compare.summary import CurveSummary, mean_curve, smoother
from bedrock_rft_sim.stats.bootstrap import BootstrapInterval, interval_of, moving_blocks
from bedrock_rft_sim.stats.ranks import improvement, spearman, spearman_rows
from bedrock_rft_sim.stats.student import Array

RESAMPLES: Final = 1000
SEED: Final = 20260218


@dataclass(frozen=True)
class Resampled:
    """What the bootstrap says about two groups."""

    gain: BootstrapInterval
    """Of the difference, b minus a."""
    area: BootstrapInterval
    rank_correlation: BootstrapInterval
    """Spearman's, of the two smoothed mean curves."""
    probability_of_improvement: BootstrapInterval
    """That a run of b gains more than a run of a."""


def resample(
    a: Sequence[CurveSummary], b: Sequence[CurveSummary], grid: Array, *, count: int = RESAMPLES
) -> Resampled:
    """Bootstrap two groups of runs; `grid` are the positions at which curves are compared."""
    rng = np.random.default_rng(SEED)
    drawn_a, curves_a = _draw(a, grid, count, rng)
    drawn_b, curves_b = _draw(b, grid, count, rng)
    gaps = drawn_b.mean(axis=1) - drawn_a.mean(axis=1)  # (count, 2)
    seen_a, seen_b = (np.array([[one.gain, one.area] for one in group]) for group in (a, b))
    gain, area = (float(gap) for gap in seen_b.mean(axis=0) - seen_a.mean(axis=0))
    return Resampled(
        gain=interval_of(gain, gaps[:, 0]),
        area=interval_of(area, gaps[:, 1]),
        rank_correlation=interval_of(
            rank_correlation(a, b, grid), spearman_rows(curves_a, curves_b)
        ),
        probability_of_improvement=interval_of(
            float(improvement(seen_a[:, 0], seen_b[:, 0])),
            improvement(drawn_a[:, :, 0], drawn_b[:, :, 0]),
        ),
    )


def rank_correlation(
    a: Sequence[CurveSummary], b: Sequence[CurveSummary], grid: Array
) -> float | None:
    """Return Spearman's correlation of the smoothed mean curves; None where one is flat."""
    return spearman(*(mean_curve([one.series for one in group], grid) for group in (a, b)))


def _draw(
    group: Sequence[CurveSummary], grid: Array, count: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return gain and area of the drawn runs, (count, runs, 2), and their mean curves."""
    measures = np.empty((count, len(group), 2))
    curves = np.empty((count, len(group), len(grid)))
    for place, one in enumerate(group):
        x, y = one.series.x, one.series.y
        noise = moving_blocks(one.residuals, len(y), count, rng)
        interpolation = np.stack([np.interp(grid, x, row) for row in np.eye(len(x))], axis=1)
        onto = interpolation @ smoother(len(y))
        measures[:, place] = [one.gain, one.area] + noise @ one.weights.T
        curves[:, place] = onto @ y + one.room * noise @ onto.T
    chosen = rng.integers(len(group), size=(count, len(group)))
    rows = np.arange(count)[:, None]
    return measures[rows, chosen], curves[rows, chosen].mean(axis=1)
