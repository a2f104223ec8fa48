"""Statistics of order: rank correlation, Kendall's tau-b, probability of improvement.

Sources: Spearman as the correlation of average ranks; Kendall's tau-b (1945, with ties);
Agarwal et al. 2021 (rliable) for the probability of improvement, the Mann-Whitney U over the
number of pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def average_ranks(values: Array) -> Array:
    """Return the ranks along the last axis from 1, ties sharing their mean rank."""
    import numpy as np

    smaller = np.sum(values[..., None, :] < values[..., :, None], axis=-1)
    equal = np.sum(values[..., None, :] == values[..., :, None], axis=-1)
    ranks: Array = smaller + (equal + 1) / 2
    return ranks


def spearman(a: Array, b: Array) -> Array:
    """Return Spearman's correlation along the last axis; 0 where one side does not move at all."""
    import numpy as np

    ranks_a, ranks_b = average_ranks(a), average_ranks(b)
    ranks_a = ranks_a - ranks_a.mean(axis=-1, keepdims=True)
    ranks_b = ranks_b - ranks_b.mean(axis=-1, keepdims=True)
    spread = np.sqrt((ranks_a**2).sum(axis=-1) * (ranks_b**2).sum(axis=-1))
    product = (ranks_a * ranks_b).sum(axis=-1)
    return np.divide(product, spread, out=np.zeros_like(product), where=spread > 0)


def kendall(a: Sequence[float] | Any, b: Sequence[float] | Any) -> float:
    """Return Kendall's tau-b of two scores of the same things; 0 if one side is all ties."""
    import numpy as np

    above = np.triu_indices(len(a), 1)
    x = np.sign(np.subtract.outer(a, a))[above]
    y = np.sign(np.subtract.outer(b, b))[above]
    pairs = float(np.sqrt(np.sum(x != 0) * np.sum(y != 0)))
    return float(np.sum(x * y) / pairs) if pairs else 0.0


def improvement(a: Array, b: Array) -> Array:
    """Return the share of pairs along the last axes in which b is above a, ties counting half."""
    import numpy as np

    difference = b[..., None, :] - a[..., :, None]
    share: Array = ((difference > 0) + 0.5 * (difference == 0)).mean(axis=(-1, -2))
    return np.asarray(share)
