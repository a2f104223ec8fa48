"""Draw a run: the console's graphs, and one self-contained page."""

from __future__ import annotations

from sim.report.graphs import console_graphs
from sim.report.page import write_page

__all__ = ["console_graphs", "write_page"]
