"""Report on a run: the page, the console's graphs, the terminal version, the live view."""

from __future__ import annotations

from sim.report.during import PageDuringRun
from sim.report.graphs import console_graphs
from sim.report.page import Page, write_page
from sim.report.reading import read_run

__all__ = [
    "Page",
    "PageDuringRun",
    "console_graphs",
    "read_run",
    "write_page",
]
