"""A row of blocks for a row of numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

SPARKS: Final = "▁▂▃▄▅▆▇█"
SPARK_WIDTH: Final = 24


def sparkline(values: Sequence[float], width: int = SPARK_WIDTH) -> str:
    """Draw the last `width` values, lowest to highest; nothing for no values."""
    shown = values[-width:]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    scale = (len(SPARKS) - 1) / (high - low) if high > low else 0.0
    return "".join(SPARKS[int((value - low) * scale)] for value in shown)


def condensed(values: Sequence[float], width: int = SPARK_WIDTH) -> list[float]:
    """Return at most `width` means of neighbours, so that a whole run fits into one row."""
    count = min(width, len(values))
    edges = [index * len(values) // count for index in range(count + 1)] if count else []
    return [sum(values[start:end]) / (end - start) for start, end in itertools.pairwise(edges)]
