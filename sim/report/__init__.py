"""Report on a run: the page, the console's graphs, the terminal version, the live view."""

from __future__ import annotations

from sim.report.during import PageDuringRun
from sim.report.graphs import console_graphs
from sim.report.page import Page, write_page
from sim.report.prompts import read_prompts, write_prompts
from sim.report.reading import find_run, read_run

__all__ = [
    "Page",
    "PageDuringRun",
    "console_graphs",
    "find_run",
    "read_prompts",
    "read_run",
    "write_page",
    "write_prompts",
]
