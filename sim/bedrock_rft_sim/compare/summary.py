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
from typing import TYPE_CHECKING, Final

from bedrock_rft_sim.compare.axis import Series
from bedrock_rft_sim.stats.bootstrap import block_length, block_sums, block_variance

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

WINDOW: Final = 0.2
"""Share of the range over which the levels at the start and at the end are taken."""
SMOOTHING: Final = 0.2
"""Share of the points in the moving mean."""
LEAST_ROOM: Final = 0.05
"""Below this share of the top left above the start, a reward has no gain to speak of."""
LEVELS: Final = 3


@dataclass(frozen=True)
class Summary:
    """One curve in numbers."""

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
    import numpy as np

    low, high = x[0], x[-1]
    width = WINDOW * (high - low) * (1 + 1e-9)
    weights = np.zeros((LEVELS, len(x)))
    weights[0] = x <= low + width
    weights[1] = x >= high - width
    gaps = np.diff(x)
    weights[2, :-1] += gaps
    weights[2, 1:] += gaps
    normed: Array = weights / weights.sum(axis=1, keepdims=True)
    return normed


@functools.lru_cache(maxsize=64)
def smoother(count: int) -> Array:
    """Return the matrix, (n, n), of a moving mean whose window shrinks at the ends."""
    import numpy as np

    half = half_window(count)
    place = np.arange(count)
    reach = np.minimum(np.minimum(place, count - 1 - place), half)
    inside = np.abs(place[:, None] - place[None, :]) <= reach[:, None]
    matrix: Array = inside / inside.sum(axis=1, keepdims=True)
    matrix.setflags(write=False)
    return matrix


def half_window(count: int) -> int:
    """Return how many neighbours on each side the moving mean takes."""
    return max(1, round(SMOOTHING * count) // 2)


def summarise(series: Series, *, top: float | None) -> Summary | None:
    """Return the curve in numbers, or None where it has no room to gain.

    Args:
        series: the curve, cut to the compared range; at least four points.
        top: the greatest possible reward, or None for a metric judged by its relative change.
    """
    import numpy as np

    weights = level_weights(series.x)
    start, end, mean = (float(value) for value in weights @ series.y)
    room = _room(start, top)
    if room is None:
        return None
    gain, area = (end - start) / room, (mean - start) / room
    # How the room moves with the start: down by 1 under a top, up by 1 when it is the start.
    slope = -1.0 if top is not None else (1.0 if start >= 0 else -1.0)
    jacobian = np.array(
        [
            [(-1 - gain * slope) / room, 1 / room, 0.0],
            [(-1 - area * slope) / room, 0.0, 1 / room],
        ]
    )
    left = scaled_residuals(series.y)
    variance = block_variance(left)
    combined = jacobian @ weights
    return Summary(
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
    import numpy as np

    kept = (np.eye(count) - smoother(count))[1:-1]
    return float(np.mean(np.sum(block_sums(kept) ** 2, axis=1)) / block_length(count - 2))


def shared_noise(summaries: Sequence[Summary]) -> Array:
    """Return the part of the noise, (2, 2), that seeds have in common and does not average out.

    Runs of one recipe may see the same prompts in the same order, and then dip at the same steps.
    """
    import numpy as np

    count = len(summaries)
    lengths = {summary.weights.shape[1] for summary in summaries}
    if count == 1 or len(lengths) > 1:
        return np.zeros((2, 2))
    together = block_variance(np.mean([summary.residuals for summary in summaries], axis=0))
    alone = float(np.mean([summary.variance for summary in summaries]))
    excess = max(0.0, together - alone / count)
    weights = np.mean([summary.weights for summary in summaries], axis=0)
    common: Array = excess * (weights @ weights.T)
    return common
