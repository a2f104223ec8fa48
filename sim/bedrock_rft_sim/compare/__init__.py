"""Say whether curves have the same shape, are different, or whether nobody can tell.

It reads curves that `bedrock_rft_sim.compare.series` made and draws nothing;
`bedrock_rft_sim.report` does.
"""

from __future__ import annotations

from bedrock_rft_sim.compare.axis import Axis
from bedrock_rft_sim.compare.compare import COMPARED, compare
from bedrock_rft_sim.compare.order import RecipeOrder, order
from bedrock_rft_sim.compare.result import Comparison, MetricComparison

__all__ = [
    "COMPARED",
    "Axis",
    "Comparison",
    "MetricComparison",
    "RecipeOrder",
    "compare",
    "order",
]
