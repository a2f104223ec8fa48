"""The audit of a reward: does it pay for right answers, for nothing else, and always the same?"""

from __future__ import annotations

from bedrock_rft_sim.grader.audit.cost import AuditWorkload
from bedrock_rft_sim.grader.audit.plan import AuditSettings
from bedrock_rft_sim.grader.audit.report import AuditReport
from bedrock_rft_sim.grader.audit.run import audit

__all__ = ["AuditReport", "AuditSettings", "AuditWorkload", "audit"]
