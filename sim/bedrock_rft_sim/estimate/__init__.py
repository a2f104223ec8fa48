"""What a job will take, before it is started: counted, measured or bounded, never guessed."""

from bedrock_rft_sim.estimate.estimate import JobEstimate, estimate
from bedrock_rft_sim.estimate.measured import Measured, read_measured

__all__ = ["JobEstimate", "Measured", "estimate", "read_measured"]
