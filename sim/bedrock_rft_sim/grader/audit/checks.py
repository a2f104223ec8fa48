"""The audit's checks, read from checks.toml, and their findings.

A finding says what broke the check, shows the smallest event, and names the remedy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.files import table_beside
from bedrock_rft_sim.recipe.wording import did_you_mean

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""The gravest first."""
Event = list[dict[str, Any]]


@dataclass(frozen=True)
class Check:
    """One law that a reward should obey."""

    name: str
    group: str
    law: str
    remedy: str


CHECKS: Final = tuple(Check(**row) for row in table_beside(__file__, "checks.toml")["checks"])
BY_NAME: Final = {check.name: check for check in CHECKS}


@dataclass(frozen=True)
class AuditFinding:
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


def worst(findings: Sequence[AuditFinding]) -> Severity | None:
    """The gravest severity that is not waived."""
    standing = {finding.severity for finding in findings if finding.waived is None}
    return next((severity for severity in SEVERITIES if severity in standing), None)


def refuse_unknown_checks(waivers: Mapping[str, str]) -> None:
    """Raise where a waiver names no check, or gives no reason."""
    for name, reason in waivers.items():
        if name not in BY_NAME:
            raise RecipeError(
                "no check of that name can be waived",
                where="--waive",
                expected=", ".join(BY_NAME),
                found=repr(name),
                hint=did_you_mean(name, BY_NAME),
            )
        if not reason.strip():
            raise RecipeError(
                "a check is waived for a reason",
                where="--waive",
                expected=f"{name}=why it does not matter here",
                found=f"{name}=",
            )
