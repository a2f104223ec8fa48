"""The run folder: the only room that knows file names on disk."""

from __future__ import annotations

from bedrock_rft_sim.runs.find import find_run, or_under_runs
from bedrock_rft_sim.runs.folder import RunFolder, is_run
from bedrock_rft_sim.runs.run import Run

__all__ = ["Run", "RunFolder", "find_run", "is_run", "or_under_runs"]
