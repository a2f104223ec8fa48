"""Metric series from any source, under one set of names.

It reads and sorts; it judges nothing and draws nothing. `sim.compare` and `sim.report` do.
"""

from __future__ import annotations

from sim.curves.curve import KINDS, Curve, Curves, Kind
from sim.curves.read import read_curves

__all__ = ["KINDS", "Curve", "Curves", "Kind", "read_curves"]
