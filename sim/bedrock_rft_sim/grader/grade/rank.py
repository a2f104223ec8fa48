"""Spearman's rank correlation, ties sharing the mean of their ranks.

Source: the usual definition, Pearson's correlation of the ranks; the tests hold it to SciPy's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return the correlation in -1 to 1; None where one side never varies."""
    return _pearson(ranks(first), ranks(second))


def ranks(values: Sequence[float]) -> list[float]:
    """Return the 1-based rank of each value; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for index in order[start:end]:
            found[index] = (start + 1 + end) / 2
        start = end
    return found


def _pearson(first: Sequence[float], second: Sequence[float]) -> float | None:
    count = len(first)
    if not count:
        return None
    mean = (count + 1) / 2  # of any ranks
    left, right = [x - mean for x in first], [y - mean for y in second]
    scale = math.sqrt(math.fsum(x * x for x in left) * math.fsum(y * y for y in right))
    if scale == 0:
        return None
    both = math.fsum(x * y for x, y in zip(left, right, strict=True))
    return max(-1.0, min(1.0, both / scale))
