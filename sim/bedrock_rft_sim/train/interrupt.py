"""Ctrl-C ends a run before its next step; a second one ends it at once."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SAME_S: Final = 1.0
"""A scheduler signals launcher and processes, and the launcher passes it on: within so many seconds
that is one signal."""


class StopRequestedError(Exception):
    """Ends the work in progress, of which nothing is kept."""


class Interrupt:
    """Whether the user wants the run to stop."""

    def __init__(self) -> None:
        self.requested = False

    def __call__(self) -> bool:
        """Return True once a stop was requested."""
        return self.requested


@contextmanager
def interruptible(announce: Callable[[str], None], *, same_s: float = 0.0) -> Iterator[Interrupt]:
    """Turn the first SIGINT or SIGTERM into a request to stop, until the block ends.

    Those that follow within `same_s` seconds are the same one.
    """
    interrupt = Interrupt()
    until = 0.0

    def handle(_signal: int, _frame: FrameType | None) -> None:
        nonlocal until
        if interrupt.requested:
            if time.monotonic() < until:
                return
            raise KeyboardInterrupt
        interrupt.requested, until = True, time.monotonic() + same_s
        announce("stopping before the next step; press Ctrl-C again to stop at once")

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
