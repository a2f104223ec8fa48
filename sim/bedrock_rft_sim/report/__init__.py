"""Report on a run: the page, the console's graphs, the terminal version, the live view."""

from __future__ import annotations

from bedrock_rft_sim.report.notebook import ShownRun
from bedrock_rft_sim.report.page import Page, PageDuringRun

__all__ = ["Page", "PageDuringRun", "ShownRun"]
