"""What the audit found: one finding says what, shows the smallest event, and names the remedy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
Event = list[dict[str, Any]]


@dataclass(frozen=True)
class Finding:
    """One broken law."""

    check: str
    severity: Severity
    what: str
    remedy: str
    evidence: Event | None = None
    """The smallest event that shows it."""
    waived: str | None = None
    """Why the user lets it stand."""

    @property
    def evidence_json(self) -> str | None:
        """The event, ready to paste into the Lambda console's test pane."""
        if self.evidence is None:
            return None
        try:
            text = json.dumps(self.evidence, indent=2, ensure_ascii=False)
            text.encode()
        except UnicodeEncodeError:  # half a surrogate pair has no UTF-8, but JSON can escape it
            return json.dumps(self.evidence, indent=2)
        return text


def worst(findings: Sequence[Finding]) -> Severity | None:
    """The gravest severity that is not waived."""
    standing = {finding.severity for finding in findings if finding.waived is None}
    ranks: tuple[Severity, ...] = ("error", "warning", "note")
    return next((severity for severity in ranks if severity in standing), None)
