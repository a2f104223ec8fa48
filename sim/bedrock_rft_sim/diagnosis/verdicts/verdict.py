"""One finding: which rule looked, what it saw in numbers, and what to try.

It judges nothing; the rules do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

Severity = Literal["problem", "warning", "note", "clear", "unknown"]
"""`clear`: the rule looked and found nothing. `unknown`: it had too little to look at."""

ORDER: Final[tuple[Severity, ...]] = ("problem", "warning", "note", "clear", "unknown")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule says about a run."""

    rule: str
    severity: Severity
    says: str
    """One or two sentences with the numbers in them."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """The same numbers by name, for programs; shares between 0 and 1, lengths in tokens."""
    remedy: str = ""
    """What to look at or try next; empty where nothing was found."""

    @property
    def speaks(self) -> bool:
        """Whether there is something to tell: a problem, a warning or a note."""
        return self.severity in ("problem", "warning", "note")

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as JSON-ready data."""
        return {**asdict(self), "numbers": dict(self.numbers)}


def clear(rule: str, says: str, **numbers: float) -> Verdict:
    """Say that the rule looked and found nothing."""
    return Verdict(rule, "clear", says, numbers)


def unknown(rule: str, why: str) -> Verdict:
    """Say that the rule had too little to look at."""
    return Verdict(rule, "unknown", why)
