"""Say whether curves have the same shape, are different, or whether nobody can tell.

It reads curves that `bedrock_rft_sim.compare.series` made and draws nothing;
`bedrock_rft_sim.report` does.
"""

from __future__ import annotations

from bedrock_rft_sim.compare.compare import compare, noise_of
from bedrock_rft_sim.compare.order import order
from bedrock_rft_sim.compare.result import Comparison

__all__ = ["Comparison", "compare", "noise_of", "order"]
