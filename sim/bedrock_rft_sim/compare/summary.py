"""What one curve comes to in numbers, and how far the noise of its own steps moves them.

A curve is summed up by three weighted means: the level in the first fifth of the compared range,
the level in the last fifth, and the mean over the whole range. From them:

- gain: for a reward (end - start) / (top - start), the share of the room above the start that was
  won (Hake's normalised gain); for a length or an entropy (end - start) / start.
- area: the same with the mean over the range in place of the end, which tells an early climb from
  a late one;
- unrest: how far the steps stray from the nearest curve that only rises, or only falls (root mean
  square, in units of the same room): swings and collapses that both levels and means overlook.

The noise is what is left after smoothing. Its long-run variance comes from the means of moving
blocks (Künsch 1989), so that neighbouring steps may depend on each other.

A single step that stands far off its neighbours, as one absurd grade makes it, is set to where they
lead: it moves no number, whatever its size. Two such steps in a row are no slip and stay.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bedrock_rft_sim.compare.axis import PlacedSeries, common_range
from bedrock_rft_sim.stats.bootstrap import block_length, block_sums
from bedrock_rft_sim.stats.student import Array

WINDOW: Final = 0.2
"""Share of the range over which the levels at the start and at the end are taken."""
SMOOTHING: Final = 0.2
"""Share of the points in the moving mean."""
LEAST_ROOM: Final = 0.05
"""Below this share of the top left above the start, a reward has no gain to speak of."""
GRID: Final = 50
"""Points of the axis at which smoothed curves are compared."""
NEIGHBOURS: Final = 8
"""Points, without the step itself, through which the line of its neighbours is laid."""
FAR_OFF: Final = 5.0
"""A step is left out beyond this many usual distances (standard deviations, by the median)."""
ROUNDING: Final = 1e-9
"""Distances below this share of the curve's largest value are none."""
NORMAL_MEDIAN: Final = 0.6745
"""Median of the absolute value of a normal number of standard deviation 1."""


@dataclass(frozen=True)
class CurveSummary:
    """One curve in numbers."""

    series: PlacedSeries
    """The curve without the steps that were left out."""
    start: float
    end: float
    room: float
    """What gains are shares of, in the metric's own unit."""
    gain: float
    area: float
    unrest: float
    residuals: Array
    """What smoothing left, (n - 2,), in units of the room; see `scaled_residuals`."""
    weights: Array
    """How each step enters (gain, area), to first order, in units of the room, (2, n)."""
    left_out: tuple[int, ...]
    """Places of the steps that stood far off their neighbours."""


@dataclass(frozen=True)
class Rows:
    """Curves on the same axis in numbers, one row each; the fields are `CurveSummary`'s."""

    y: Array
    """The curves without what was left out, (R, n)."""
    start: Array
    """(R,), and so are `end` and `room`, which is NaN where there is nothing to gain."""
    end: Array
    room: Array
    measures: Array
    """Gain, area and unrest, (R, 3)."""
    residuals: Array
    """(R, n - 2)."""
    weights: Array
    """(R, 2, n)."""
    left_out: NDArray[np.bool_]
    """(R, n)."""


def level_weights(x: Array) -> Array:
    """Return the weights of (start, end, mean), (3, n), each adding up to 1."""
    low, high = x[0], x[-1]
    width = WINDOW * (high - low) * (1 + 1e-9)
    gaps = np.diff(x)
    over_range = np.append(gaps, 0.0) + np.insert(gaps, 0, 0.0)
    weights = np.stack([x <= low + width, x >= high - width, over_range])
    normed: Array = weights / weights.sum(axis=1, keepdims=True)
    return normed


def half_window(count: int) -> int:
    """Return how many points on each side of one a moving window takes, of so many points."""
    return max(1, round(SMOOTHING * count) // 2)


@functools.lru_cache(maxsize=64)
def smoother(count: int) -> Array:
    """Return the matrix, (n, n), of a moving mean whose window shrinks at the ends."""
    half = half_window(count)
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
    rows = summarise_rows(series.x, series.y[None, :], top=top)
    if np.isnan(rows.room[0]):
        return None
    gain, area, unrest = (float(each) for each in rows.measures[0])
    return CurveSummary(
        series=PlacedSeries(series.x, rows.y[0]),
        start=float(rows.start[0]),
        end=float(rows.end[0]),
        room=float(rows.room[0]),
        gain=gain,
        area=area,
        unrest=unrest,
        residuals=rows.residuals[0],
        weights=rows.weights[0],
        left_out=tuple(int(place) for place in np.flatnonzero(rows.left_out[0])),
    )


def summarise_rows(x: Array, y: Array, *, top: float | None) -> Rows:
    """Return curves, (R, n), that stand on one axis, (n,), in numbers."""
    y, left_out = without_far_off(y)
    weights = level_weights(x)
    start, end, mean = weights @ y.T
    room = _room(start, top)
    gain, area = (end - start) / room, (mean - start) / room
    # How the room moves with the start: down by 1 under a top, up by 1 when it is the start.
    slope = np.full_like(start, -1.0) if top is not None else np.where(start >= 0, 1.0, -1.0)
    none, one = np.zeros_like(start), np.ones_like(start)
    jacobian = np.array([[-1 - gain * slope, one, none], [-1 - area * slope, none, one]])
    return Rows(
        y=y,
        start=start,
        end=end,
        room=room,
        measures=np.stack([gain, area, unrest_of(y) / room], axis=-1),
        residuals=scaled_residuals(y) / room[:, None],
        weights=np.einsum("mkr,kn->rmn", jacobian, weights),
        left_out=left_out,
    )


def _room(start: Array, top: float | None) -> Array:
    room = np.abs(start) if top is None else top - start
    least = 0.0 if top is None else LEAST_ROOM * abs(top)
    known: Array = np.where(room > least, room, np.nan)
    return known


def unrest_of(y: Array) -> Array:
    """Return how far curves, (R, n), stray from the nearest that only rises or only falls, (R,)."""
    from scipy.optimize import isotonic_regression

    found = [
        min(
            np.square(row - isotonic_regression(row, increasing=rising).x).mean()
            for rising in (True, False)
        )
        for row in y
    ]
    distances: Array = np.sqrt(found)
    return distances


def without_far_off(y: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return curves, (R, n), with steps far off their neighbours set to where those lead.

    Such a step is far from the one before, from the one after, and from the line through those
    around it (Theil's and Sen's, which two absurd values among eight do not move far), also by the
    measure of how far those lie apart. Curves of fewer points than that are left as they are.
    """
    count = y.shape[-1]
    found = np.zeros(y.shape, bool)
    if count <= NEIGHBOURS:
        return y, found
    bends = y[:, 1:-1] - (y[:, :-2] + y[:, 2:]) / 2  # of 1.5 times the noise's variance
    usual = np.median(np.abs(bends), axis=-1) / (NORMAL_MEDIAN * math.sqrt(1.5))
    limit = FAR_OFF * usual + ROUNDING * np.abs(y).max(axis=-1)
    gaps = np.pad(np.abs(np.diff(y)), ((0, 0), (1, 1)), constant_values=np.inf)
    row, place = np.nonzero(np.minimum(gaps[:, :-1], gaps[:, 1:]) > limit[:, None])
    first = np.clip(place - NEIGHBOURS // 2, 0, count - NEIGHBOURS - 1)
    near = first[:, None] + np.arange(NEIGHBOURS)
    near += near >= place[:, None]  # not the step itself
    values = y[row[:, None], near]
    low, high = np.triu_indices(NEIGHBOURS, 1)
    rises = (values[:, high] - values[:, low]) / (near[:, high] - near[:, low])
    slopes = np.median(rises, axis=-1)
    line = np.median(values + slopes[:, None] * (place[:, None] - near), axis=-1)
    ranks = np.sort(values, axis=-1)
    far = np.abs(y[row, place] - line) > np.maximum(limit[row], ranks[:, -2] - ranks[:, 1])
    found[row[far], place[far]] = True
    settled = y.copy()
    settled[found] = line[far]
    return settled, found


def scaled_residuals(y: Array) -> Array:
    """Return what smoothing leaves, (..., n - 2), scaled up by what it took of the noise.

    The two end points are their own mean and say nothing.
    """
    count = y.shape[-1]
    left: Array = (y - y @ smoother(count).T)[..., 1:-1] / math.sqrt(kept_by_smoothing(count))
    return left


@functools.lru_cache(maxsize=64)
def kept_by_smoothing(count: int) -> float:
    """Return the share of independent noise that `block_variance` still sees after smoothing.

    The moving mean takes the slow part of the noise away with the curve.
    """
    kept = (np.eye(count) - smoother(count))[1:-1]
    return float(np.mean(np.sum(block_sums(kept.T) ** 2, axis=0)) / block_length(count - 2))
