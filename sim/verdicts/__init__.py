"""What a run's numbers say about it, rule by rule: an audit of what was recorded, no prophecy.

Every rule is a pure function of `Evidence` and gives one `Verdict` with rule, numbers and remedy.
A rule that has too little to go on says so instead of keeping silent.
"""

from __future__ import annotations

from sim.verdicts.evidence import Evidence
from sim.verdicts.judge import RULES, headline, judge, spoken
from sim.verdicts.verdict import Severity, Verdict

__all__ = ["RULES", "Evidence", "Severity", "Verdict", "headline", "judge", "spoken"]
