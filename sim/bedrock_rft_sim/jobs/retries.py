"""Errors of repeated actions: each is logged once, tried again later, or given up.

A disk that refuses may be emptied, so that is tried again for ever, less and less often; a mistake
of ours will not mend itself, so that is given up after some tries.
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
class _Failure:
    message: str = ""
    tries: int = 0
    mistakes: int = 0
    again_at: float = 0.0


class Retries:
    """The failing actions by name, such as `delivering 0a1b2c3d4e5f`."""

    def __init__(self) -> None:
        self._known: dict[str, _Failure] = {}

    def is_due(self, action: str) -> bool:
        """Whether it may be tried now."""
        failure = self._known.get(action)
        return failure is None or time.monotonic() >= failure.again_at

    def note(self, action: str, error: Exception) -> bool:
        """Write an error to the server's log, if it is a new one; return whether to give up."""
        failure = self._known.setdefault(action, _Failure())
        is_mistake = not isinstance(error, _PASSING)
        message = f"{type(error).__name__}: {error}" if is_mistake else str(error)
        if message != failure.message:
            failure.message = message
            say(f"{action}: {message}")
            if is_mistake:
                traceback.print_exception(error, file=sys.stderr)
        pause = min(PAUSE_MAX_S, FIRST_PAUSE_S * 2.0 ** min(failure.tries, 20))
        failure.again_at = time.monotonic() + pause
        failure.tries += 1
        failure.mistakes += is_mistake
        return failure.mistakes >= TRIES_MAX

    def forget(self, action: str) -> None:
        """It went well, or was given up."""
        self._known.pop(action, None)


def say(message: str) -> None:
    """Write a line to the server's log."""
    print(f"jobs: {message}", file=sys.stderr, flush=True)  # noqa: T201 - the server's own log
