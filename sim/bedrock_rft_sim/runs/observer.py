"""Who looks on while a run is written, such as the page that is drawn anew as the steps come in.

An observer may read the folder and write files of its own there; it never changes what the run
does. What it raises ends the run as an error of the run itself would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bedrock_rft_sim.runs.folder import RunFolder


@dataclass(frozen=True, slots=True)
class Stage:
    """What goes on now, and how far it is."""

    what: str
    done: int = 0
    of: int | None = None
    """None where there is nothing to count."""
    share: float | None = None
    """Of the work that is done, from 0 to 1; None where nobody knows."""


Doing = Callable[[Stage], None]
"""Gets what goes on now; called often, so it returns at once."""


class RunObserver(Protocol):
    """What a trainer calls while it writes a run."""

    def step(self, line: Mapping[str, Any]) -> None:
        """Called after each step; its metric line is in the folder already."""

    def ended(self, record: Mapping[str, Any]) -> None:
        """Called once at the end, whatever the status; run.json gets these fields last of all."""


Observe = Callable[[RunFolder], RunObserver]
"""Makes the observer of a run whose folder has just been created, or opened to go on with it."""
