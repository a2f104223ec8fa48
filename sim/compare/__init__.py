"""Say whether curves have the same shape, are different, or whether nobody can tell.

It reads curves that `sim.curves` made and draws nothing; `sim.report` does.
"""

from __future__ import annotations

from sim.compare.axis import Axis
from sim.compare.compare import COMPARED, compare
from sim.compare.order import Order, order
from sim.compare.result import Comparison, MetricComparison, Side

__all__ = [
    "COMPARED",
    "Axis",
    "Comparison",
    "MetricComparison",
    "Order",
    "Side",
    "compare",
    "order",
]
