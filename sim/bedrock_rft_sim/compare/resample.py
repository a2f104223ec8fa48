"""Bootstrap over seeds and over steps: intervals that assume no law of the noise.

A replicate draws runs with replacement and, within each, moving blocks of what smoothing left,
laid on the smoothed curve. The verdict does not depend on it; the intervals are shown beside it.
Sources: Künsch 1989 (moving blocks); Efron and Tibshirani 1993 (percentile intervals).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bedrock_rft_sim.compare.axis import Series
from bedrock_rft_sim.compare.summary import Summary, smoother
from bedrock_rft_sim.stats.bootstrap import BootstrapInterval, interval_of, moving_blocks
from bedrock_rft_sim.stats.ranks import improvement, spearman, spearman_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

RESAMPLES: Final = 1000
SEED: Final = 20260218
GRID: Final = 50
"""Points of the axis at which smoothed curves are held against each other."""


@dataclass(frozen=True)
class Resampled:
    """What the bootstrap says about two groups."""

    gain: BootstrapInterval
    """Of the difference, b minus a."""
    area: BootstrapInterval
    correlation: BootstrapInterval
    """Spearman's, of the two smoothed mean curves."""
    improvement: BootstrapInterval
    """Probability that a run of b gains more than a run of a."""


def resample(
    a: Sequence[tuple[Series, Summary]],
    b: Sequence[tuple[Series, Summary]],
    grid: Array,
    *,
    count: int = RESAMPLES,
) -> Resampled:
    """Bootstrap two groups of runs; `grid` are the positions at which curves are compared."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    drawn_a, drawn_b = _draw(a, grid, count, rng), _draw(b, grid, count, rng)
    gaps = drawn_b.measures.mean(axis=1) - drawn_a.measures.mean(axis=1)  # (count, 2)
    found = _observed(b) - _observed(a)
    curves = (mean_curve([one for one, _ in a], grid), mean_curve([one for one, _ in b], grid))
    gains_a = np.array([summary.gain for _, summary in a])
    gains_b = np.array([summary.gain for _, summary in b])
    return Resampled(
        gain=interval_of(float(found[0]), gaps[:, 0]),
        area=interval_of(float(found[1]), gaps[:, 1]),
        correlation=interval_of(spearman(*curves), spearman_rows(drawn_a.curves, drawn_b.curves)),
        improvement=interval_of(
            float(improvement(gains_a, gains_b)),
            improvement(drawn_a.measures[:, :, 0], drawn_b.measures[:, :, 0]),
        ),
    )


@dataclass(frozen=True)
class _Drawn:
    measures: Array  # (count, runs, 2): gain and area
    curves: Array  # (count, grid): the smoothed mean over the drawn runs


def _draw(
    group: Sequence[tuple[Series, Summary]], grid: Array, count: int, rng: np.random.Generator
) -> _Drawn:
    import numpy as np

    measures = np.empty((count, len(group), 2))
    curves = np.empty((count, len(group), len(grid)))
    for place, (series, summary) in enumerate(group):
        noise = moving_blocks(summary.residuals, len(series.y), count, rng)
        onto = grid_of(series.x, grid) @ smoother(len(series.y))
        measures[:, place] = [summary.gain, summary.area] + noise @ summary.weights.T
        curves[:, place] = onto @ series.y + noise @ onto.T
    chosen = rng.integers(len(group), size=(count, len(group)))
    rows = np.arange(count)[:, None]
    return _Drawn(measures[rows, chosen], curves[rows, chosen].mean(axis=1))


def grid_of(x: Array, grid: Array) -> Array:
    """Return the matrix, (grid, n), of linear interpolation from `x` to the grid."""
    import numpy as np

    identity = np.eye(len(x))
    return np.stack([np.interp(grid, x, row) for row in identity], axis=1)


def mean_curve(group: Sequence[Series], grid: Array) -> Array:
    """Return the smoothed mean of the runs at the grid."""
    import numpy as np

    smoothed = [np.interp(grid, one.x, smoother(len(one.y)) @ one.y) for one in group]
    mean: Array = np.mean(smoothed, axis=0)
    return mean


def _observed(group: Sequence[tuple[Series, Summary]]) -> Array:
    import numpy as np

    mean: Array = np.mean([[summary.gain, summary.area] for _, summary in group], axis=0)
    return mean
