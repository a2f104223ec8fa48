"""What one check found: how grave it is, what it saw in numbers, what to try, and on whose word.

It judges nothing; the checks of a run, a probe, a recipe and a sweep do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

STEPS_MIN: Final = 10
"""Assumed: with fewer training steps no check judges the course of a metric over time."""

Severity = Literal["problem", "warning", "note", "clear", "unknown"]
"""`clear`: the check ran and found nothing. `unknown`: it had too little to look at."""

ORDER: Final[tuple[Severity, ...]] = ("problem", "warning", "note", "clear", "unknown")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says."""

    rule: str
    """The name of the check, which never changes; of a recipe, the request's name of a value."""
    severity: Severity
    says: str
    """One or two sentences with the numbers in them; of a recipe, the value it has."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """The same numbers by name, for programs; shares between 0 and 1, lengths in tokens."""
    remedy: str = ""
    """What to look at or try next; empty where nothing was found."""
    source: str = ""
    """The document that the threshold comes from; empty where this project assumed it."""
    seen: str | None = None
    """Of a recipe, what a probe or a run showed of it; None where there is none."""

    @property
    def fired(self) -> bool:
        """Whether there is something to report: a problem, a warning or a note."""
        return self.severity in ("problem", "warning", "note")

    @property
    def words(self) -> str:
        """What was found, and what to try next."""
        return f"{self.says} Next: {self.remedy}" if self.remedy else self.says

    def as_json(self) -> dict[str, Any]:
        """Return the finding as JSON-ready data."""
        record = asdict(self)
        del record["seen"]
        return record


def fired(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that report something."""
    return [finding for finding in findings if finding.fired]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A check by its name, with what to try where it fires and whose threshold it applies."""

    rule: str
    remedy: str = ""
    source: str = ""

    def clear(self, says: str, numbers: Mapping[str, float]) -> Finding:
        """Say that the check ran and found nothing."""
        return Finding(self.rule, "clear", says, numbers)

    def unknown(self, why: str) -> Finding:
        """Say that the check had too little to look at."""
        return Finding(self.rule, "unknown", why)

    def too_short(self, steps: int) -> Finding:
        """Say that the run has too few training steps to see a course."""
        return self.unknown(f"{steps} training steps; {STEPS_MIN} are needed to see a course.")

    def fires(
        self, severity: Severity, says: str, numbers: Mapping[str, float], remedy: str = ""
    ) -> Finding:
        """Say what the check found, with a remedy of its own or the usual one."""
        return Finding(self.rule, severity, says, numbers, remedy or self.remedy, self.source)
