"""Metric series from any source, under one set of names.

It reads and sorts; it judges nothing and draws nothing. `bedrock_rft_sim.compare` and
`bedrock_rft_sim.report` do.
"""

from __future__ import annotations

from bedrock_rft_sim.compare.series.curve import KINDS, Curve, Curves, Kind
from bedrock_rft_sim.compare.series.read import read_curves

__all__ = ["KINDS", "Curve", "Curves", "Kind", "read_curves"]
