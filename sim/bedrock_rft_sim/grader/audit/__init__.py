"""The audit of a reward: does it pay for right answers, for nothing else, and always the same?"""

from __future__ import annotations

from bedrock_rft_sim.grader.audit.checks import CHECKS, Check
from bedrock_rft_sim.grader.audit.cost import Cost, Workload
from bedrock_rft_sim.grader.audit.findings import Finding
from bedrock_rft_sim.grader.audit.opener import OpenGrader, RewardFile
from bedrock_rft_sim.grader.audit.plan import AuditSettings, Plan
from bedrock_rft_sim.grader.audit.report import AuditReport, CheckResult
from bedrock_rft_sim.grader.audit.run import audit

__all__ = [
    "CHECKS",
    "AuditReport",
    "AuditSettings",
    "Check",
    "CheckResult",
    "Cost",
    "Finding",
    "OpenGrader",
    "Plan",
    "RewardFile",
    "Workload",
    "audit",
]
