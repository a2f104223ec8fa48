"""Seconds by phase of one training step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

REMAINDER = "update"  # reference log-probabilities, loss, gradient and optimizer


class Clock:
    """Adds up the seconds of named phases between two laps; phases do not nest."""

    def __init__(self) -> None:
        self._lap_started = time.perf_counter()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time inside the block towards `name`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            self._seconds[name] = self._seconds.get(name, 0.0) + spent

    def lap(self) -> dict[str, float]:
        """Return the seconds by phase since the last lap; what no phase claimed is the update."""
        now = time.perf_counter()
        total = now - self._lap_started
        seconds = {**self._seconds, REMAINDER: max(0.0, total - sum(self._seconds.values()))}
        self._lap_started, self._seconds = now, {}
        return {**seconds, "total": total}

    def skip(self) -> None:
        """Leave what was done since the last lap out of the next one."""
        self._lap_started, self._seconds = time.perf_counter(), {}
