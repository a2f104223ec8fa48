"""What a run, a probe, a recipe or a sweep shows, as findings: how grave, what, what to try.

It audits what was recorded and prophesies nothing. Every check is a pure function; one that has too
little to go on says so instead of keeping silent.
"""

from __future__ import annotations

from bedrock_rft_sim.diagnosis.evidence import Evidence
from bedrock_rft_sim.diagnosis.finding import Finding
from bedrock_rft_sim.diagnosis.run import diagnose_run, headline
from bedrock_rft_sim.diagnosis.signal import learning_signal, signal_record

__all__ = ["Evidence", "Finding", "diagnose_run", "headline", "learning_signal", "signal_record"]
