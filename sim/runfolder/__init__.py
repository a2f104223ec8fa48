"""The run folder: the only room that knows file names on disk."""

from __future__ import annotations

from sim.runfolder.find import find_run, is_run, or_under_runs
from sim.runfolder.folder import SCHEMA_VERSION, RunFolder

__all__ = ["SCHEMA_VERSION", "RunFolder", "find_run", "is_run", "or_under_runs"]
