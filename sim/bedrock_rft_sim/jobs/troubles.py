"""What went wrong with which job: say it once, when to try again, when to give up.

A disk that refuses may be emptied, so it is tried again for ever, less and less often; a mistake of
ours will not mend itself, so it is given up after some tries.
Sources: none of its own.
"""

from __future__ import annotations

import sqlite3
import sys
import time
import traceback
from dataclasses import dataclass

from bedrock_rft_sim.errors import RehearsalError

TRIES_MAX = 5
FIRST_PAUSE_S = 0.1
PAUSE_MAX_S = 60.0
_PASSING = (RehearsalError, OSError, sqlite3.Error)


@dataclass(slots=True)
class _Trouble:
    words: str = ""
    tries: int = 0
    mistakes: int = 0
    again_at: float = 0.0


class Troubles:
    """The troubles by what was being done, such as `delivering 0a1b2c3d4e5f`."""

    def __init__(self) -> None:
        self._known: dict[str, _Trouble] = {}

    def is_due(self, doing: str) -> bool:
        """Whether it may be tried now."""
        trouble = self._known.get(doing)
        return trouble is None or time.monotonic() >= trouble.again_at

    def note(self, doing: str, error: Exception) -> bool:
        """Write an error to the server's log, if it is a new one; return whether to give up."""
        trouble = self._known.setdefault(doing, _Trouble())
        is_mistake = not isinstance(error, _PASSING)
        words = f"{type(error).__name__}: {error}" if is_mistake else str(error)
        if words != trouble.words:
            trouble.words = words
            say(f"{doing}: {words}")
            if is_mistake:
                traceback.print_exception(error, file=sys.stderr)
        pause = min(PAUSE_MAX_S, FIRST_PAUSE_S * 2.0 ** min(trouble.tries, 20))
        trouble.again_at = time.monotonic() + pause
        trouble.tries += 1
        trouble.mistakes += is_mistake
        return trouble.mistakes >= TRIES_MAX

    def forget(self, doing: str) -> None:
        """It went well, or was given up."""
        self._known.pop(doing, None)


def say(words: str) -> None:
    """Write a line to the server's log."""
    print(f"jobs: {words}", file=sys.stderr, flush=True)  # noqa: T201 - the server's own log
