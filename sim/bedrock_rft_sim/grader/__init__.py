"""The grader: payload profiles, the Lambda runtime, and checking what comes back."""

from __future__ import annotations

from bedrock_rft_sim.grader.grader import Grader
from bedrock_rft_sim.grader.reward import RewardFile
from bedrock_rft_sim.grader.samples import Grade, LambdaLimits, Sample

__all__ = ["Grade", "Grader", "LambdaLimits", "RewardFile", "Sample"]
