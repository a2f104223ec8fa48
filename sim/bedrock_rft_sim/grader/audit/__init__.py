"""The audit of a reward: does it pay for right answers, for nothing else, and always the same?"""

from __future__ import annotations

from bedrock_rft_sim.grader.audit.checks import CHECKS, AuditFinding, Check
from bedrock_rft_sim.grader.audit.cost import AuditWorkload, Cost
from bedrock_rft_sim.grader.audit.plan import AuditPlan, AuditSettings
from bedrock_rft_sim.grader.audit.report import AuditReport, CheckResult
from bedrock_rft_sim.grader.audit.run import audit
from bedrock_rft_sim.grader.reward import RewardFile

__all__ = [
    "CHECKS",
    "AuditFinding",
    "AuditPlan",
    "AuditReport",
    "AuditSettings",
    "AuditWorkload",
    "Check",
    "CheckResult",
    "Cost",
    "RewardFile",
    "audit",
]
