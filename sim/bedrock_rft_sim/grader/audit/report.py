"""What an audit hands back: a status per check, the findings, and how much was graded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from bedrock_rft_sim.grader.audit.checks import AuditFinding, Check, worst
from bedrock_rft_sim.grader.audit.cost import Cost
from bedrock_rft_sim.grader.audit.floor import Floor
from bedrock_rft_sim.grader.audit.plan import AuditPlan
from bedrock_rft_sim.grader.audit.score_spread import ScoreSpread
from bedrock_rft_sim.grader.good_replies import ProfileResult

Status = Literal["ok", "FAIL", "warn", "note", "waived", "can't tell"]
STATUS_OF: Mapping[str, Status] = {"error": "FAIL", "warning": "warn", "note": "note"}


@dataclass(frozen=True)
class CheckResult:
    """How the reward fared in one check."""

    name: str
    group: str
    law: str
    status: Status
    asked: int | None
    """Answers graded for this check; None where it uses those of other checks."""
    reason: str | None
    """Why nobody can tell, or why it is waived."""


@dataclass(frozen=True)
class AuditReport:
    """The whole audit of one reward."""

    profile: str
    wrapped: bool
    plan: AuditPlan
    top_score: float
    """The highest score that a good reply earns."""
    profiles: tuple[ProfileResult, ...]
    checks: tuple[CheckResult, ...]
    findings: tuple[AuditFinding, ...]
    floor: Floor | None
    """None where no good reply earns a score, or no strategy was graded on all rows."""
    spreads: tuple[ScoreSpread, ...]
    cost: Cost | None
    unneeded_waivers: tuple[str, ...]
    answers: int
    """Graded in all, failures included."""
    invocations: int
    seconds: float

    @property
    def errors(self) -> tuple[AuditFinding, ...]:
        """The errors that are not waived."""
        return tuple(f for f in self.findings if f.severity == "error" and f.waived is None)

    @property
    def ok(self) -> bool:
        """Whether no error stands."""
        return not self.errors

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON-ready data, with the events that show each finding."""
        return asdict(self) | {"ok": self.ok}


def result_of(
    check: Check,
    findings: Sequence[AuditFinding],
    *,
    asked: int | None,
    untold: str | None,
    waiver: str | None,
) -> CheckResult:
    """One row of the table; `untold` is why nobody can tell, where nothing could be judged."""
    severity = worst(findings)
    status: Status = "ok" if severity is None else STATUS_OF[severity]
    reason = None
    if findings and severity is None:
        status, reason = "waived", waiver
    elif not findings and untold is not None:
        status, reason = "can't tell", untold
    return CheckResult(check.name, check.group, check.law, status, asked, reason)
