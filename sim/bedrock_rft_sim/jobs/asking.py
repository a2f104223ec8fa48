"""How a child is asked to stop: kindly first, then harder, until it can't be refused.

A run that noted the first SIGINT ends after the step in progress, and at once upon the second.
A first one can be lost while Python is still importing, and a grader may hang: so the child is
asked again after a minute, and is gone after 100 seconds, whatever it does.
Sources: `bedrock_rft_sim.train.interrupt`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from signal import SIGINT, SIGKILL, SIGTERM, Signals
from typing import Final

Ladder = Sequence[tuple[float, Signals]]
"""Seconds after the first asking, and the signal that is sent then."""
LADDER: Final[Ladder] = ((0.0, SIGINT), (60.0, SIGINT), (90.0, SIGTERM), (100.0, SIGKILL))


class Asking:
    """One child that is asked to stop, from now on."""

    def __init__(self, ladder: Ladder) -> None:
        self._began = time.monotonic()
        self._left = list(ladder)

    def due(self) -> Signals | None:
        """Return the signal to send now, each once; None where it is to be waited."""
        if self._left and time.monotonic() - self._began >= self._left[0][0]:
            return self._left.pop(0)[1]
        return None
