"""Write the page while its run goes on, rarely enough to cost the run next to nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from bedrock_rft_sim.report.page import Page
from bedrock_rft_sim.runs import RunFolder

PAUSE_S: Final = 30.0
"""At least this long between two pages ..."""
PAUSE_FACTOR: Final = 25
"""... and at least this many times as long as writing one took: 4 % of the run."""


class PageDuringRun:
    """A `RunObserver` that keeps report.html up to date; the folder must be open for writing."""

    def __init__(self, folder: RunFolder, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._page = Page(folder)
        self._clock = clock
        self._due: float | None = None  # at once, so that there is a page to open

    def step(self, _line: Mapping[str, Any]) -> None:
        """Write the page if it is time again."""
        now = self._clock()
        if self._due is None or now >= self._due:
            self._page.write()
            done = self._clock()
            self._due = done + max(PAUSE_S, PAUSE_FACTOR * (done - now))

    def ended(self) -> None:
        """Write the page whatever the time."""
        self._page.write()
