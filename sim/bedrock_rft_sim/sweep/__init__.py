"""Many runs, one table: which settings matter, in which direction, and how sure that is.

Every point is an ordinary run folder, trained by a child process of its own; this room trains
nothing and grades nothing.
"""

from __future__ import annotations

from bedrock_rft_sim.sweep.file import SweepFile, read_sweep
from bedrock_rft_sim.sweep.run import sweep

__all__ = ["SweepFile", "read_sweep", "sweep"]
