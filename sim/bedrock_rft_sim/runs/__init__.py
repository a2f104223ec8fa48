"""The run folder: the only room that knows file names on disk."""

from __future__ import annotations

from bedrock_rft_sim.runs.find import find_run, or_under_runs
from bedrock_rft_sim.runs.folder import SCHEMA_VERSION, RunFolder, is_locked, is_run, remove_unbegun
from bedrock_rft_sim.runs.observer import Observe, RunObserver
from bedrock_rft_sim.runs.run import Run

__all__ = [
    "SCHEMA_VERSION",
    "Observe",
    "Run",
    "RunFolder",
    "RunObserver",
    "find_run",
    "is_locked",
    "is_run",
    "or_under_runs",
    "remove_unbegun",
]
