"""One published starting point and how the recipe stands to it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Remark:
    """What the recipe has, what is advised, by whom, and what was seen."""

    knob: str
    """The request's own name for it."""
    found: str
    """What the recipe has."""
    advised: str
    follows: bool | None
    """Whether the recipe is within the advice; None where the advice draws no line."""
    source: str
    seen: str | None = None
    """What the local evidence says; None where there is none."""

    def __str__(self) -> str:
        seen = "" if self.seen is None else f" Seen: {self.seen}."
        return f"{self.knob} {self.found}: {self.advised} ({self.source}).{seen}"
