"""What a run's numbers say about it, rule by rule: an audit of what was recorded, no prophecy.

Every rule is a pure function of `Evidence` and gives one `Verdict` with rule, numbers and remedy.
A rule that has too little to go on says so instead of keeping silent.
"""

from __future__ import annotations

from bedrock_rft_sim.diagnosis.verdicts.evidence import Evidence
from bedrock_rft_sim.diagnosis.verdicts.judge import RULES, headline, judge, spoken
from bedrock_rft_sim.diagnosis.verdicts.verdict import Severity, Verdict

__all__ = ["RULES", "Evidence", "Severity", "Verdict", "headline", "judge", "spoken"]
