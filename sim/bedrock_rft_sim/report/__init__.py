"""Report on a run: the page, the console's graphs, the terminal version, the live view."""

from __future__ import annotations

from bedrock_rft_sim.report.during import PageDuringRun
from bedrock_rft_sim.report.graphs import console_graphs
from bedrock_rft_sim.report.page import Page, write_page

__all__ = [
    "Page",
    "PageDuringRun",
    "console_graphs",
    "write_page",
]
