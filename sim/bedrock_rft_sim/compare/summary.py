"""What one curve comes to in numbers, and how far the noise of its own steps moves them.

A curve is summed up by three weighted means: the level in the first fifth of the compared range,
the level in the last fifth, and the mean over the whole range. From them:

- gain: for a reward (end - start) / (top - start), the share of the room above the start that was
  won (Hake's normalised gain); for a length or an entropy (end - start) / start.
- area: the same with the mean over the range in place of the end, which tells an early climb from
  a late one.

The noise is what is left after smoothing. Its long-run variance comes from the means of moving
blocks (Künsch 1989), so that neighbouring steps may depend on each other.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bedrock_rft_sim.compare.axis import PlacedSeries, common_range
from bedrock_rft_sim.stats.bootstrap import Array, block_length, block_sums, block_variance

WINDOW: Final = 0.2
"""Share of the range over which the levels at the start and at the end are taken."""
SMOOTHING: Final = 0.2
"""Share of the points in the moving mean."""
LEAST_ROOM: Final = 0.05
"""Below this share of the top left above the start, a reward has no gain to speak of."""
GRID: Final = 50
"""Points of the axis at which smoothed curves are compared."""


@dataclass(frozen=True)
class CurveSummary:
    """One curve in numbers."""

    series: PlacedSeries
    start: float
    end: float
    mean: float
    gain: float
    area: float
    variance: float
    """Long-run variance of the steps' noise, in the metric's own unit squared."""
    noise: Array
    """Covariance of (gain, area) from the noise of the steps alone, (2, 2)."""
    residuals: Array
    """What smoothing left, (n - 2,), scaled so that its `block_variance` is `variance`."""
    weights: Array
    """How each step enters (gain, area), to first order, (2, n)."""


def level_weights(x: Array) -> Array:
    """Return the weights of (start, end, mean), (3, n), each adding up to 1."""
    low, high = x[0], x[-1]
    width = WINDOW * (high - low) * (1 + 1e-9)
    gaps = np.diff(x)
    over_range = np.append(gaps, 0.0) + np.insert(gaps, 0, 0.0)
    weights = np.stack([x <= low + width, x >= high - width, over_range])
    normed: Array = weights / weights.sum(axis=1, keepdims=True)
    return normed


@functools.lru_cache(maxsize=64)
def smoother(count: int) -> Array:
    """Return the matrix, (n, n), of a moving mean whose window shrinks at the ends."""
    half = max(1, round(SMOOTHING * count) // 2)
    index = np.arange(count)
    reach = np.minimum(np.minimum(index, count - 1 - index), half)
    inside = np.abs(index[:, None] - index[None, :]) <= reach[:, None]
    matrix: Array = inside / inside.sum(axis=1, keepdims=True)
    matrix.setflags(write=False)
    return matrix


def grid_over(series: Sequence[PlacedSeries]) -> Array:
    """Return the positions at which curves are compared."""
    return np.linspace(*common_range(series), GRID)


def mean_curve(group: Sequence[PlacedSeries], grid: Array) -> Array:
    """Return the smoothed mean of the runs at the grid."""
    smoothed = [np.interp(grid, one.x, smoother(len(one.y)) @ one.y) for one in group]
    mean: Array = np.mean(smoothed, axis=0)
    return mean


def summarise(series: PlacedSeries, *, top: float | None) -> CurveSummary | None:
    """Return the curve in numbers, or None where it has no room to gain.

    Args:
        series: the curve, cut to the compared range; at least four points.
        top: the greatest possible reward, or None for a metric judged by its relative change.
    """
    weights = level_weights(series.x)
    start, end, mean = (float(value) for value in weights @ series.y)
    room = _room(start, top)
    if room is None:
        return None
    gain, area = (end - start) / room, (mean - start) / room
    # How the room moves with the start: down by 1 under a top, up by 1 when it is the start.
    slope = -1.0 if top is not None else (1.0 if start >= 0 else -1.0)
    jacobian = np.array([[-1 - gain * slope, 1, 0], [-1 - area * slope, 0, 1]]) / room
    left = scaled_residuals(series.y)
    variance = block_variance(left)
    combined = jacobian @ weights
    return CurveSummary(
        series=series,
        start=start,
        end=end,
        mean=mean,
        gain=gain,
        area=area,
        variance=variance,
        noise=variance * (combined @ combined.T),
        residuals=left,
        weights=combined,
    )


def _room(start: float, top: float | None) -> float | None:
    if top is None:
        return abs(start) or None
    room = top - start
    return room if room > LEAST_ROOM * abs(top) else None


def scaled_residuals(y: Array) -> Array:
    """Return what smoothing leaves, (n - 2,), scaled up by what it took of the noise.

    The two end points are their own mean and say nothing.
    """
    left: Array = (y - smoother(len(y)) @ y)[1:-1] / math.sqrt(kept_by_smoothing(len(y)))
    return left


@functools.lru_cache(maxsize=64)
def kept_by_smoothing(count: int) -> float:
    """Return the share of independent noise that `block_variance` still sees after smoothing.

    The moving mean takes the slow part of the noise away with the curve.
    """
    kept = (np.eye(count) - smoother(count))[1:-1]
    return float(np.mean(np.sum(block_sums(kept) ** 2, axis=1)) / block_length(count - 2))


def shared_noise(group: Sequence[CurveSummary]) -> Array:
    """Return the part of the noise, (2, 2), that seeds have in common and does not average out.

    Runs of one recipe may see the same prompts in the same order, and then dip at the same steps.
    """
    count = len(group)
    if count == 1 or len({one.weights.shape for one in group}) > 1:
        return np.zeros((2, 2))
    together = block_variance(np.mean([one.residuals for one in group], axis=0))
    alone = float(np.mean([one.variance for one in group]))
    excess = max(0.0, together - alone / count)
    weights = np.mean([one.weights for one in group], axis=0)
    common: Array = excess * (weights @ weights.T)
    return common
