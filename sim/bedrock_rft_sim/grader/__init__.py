"""The grader: payload profiles, the Lambda runtime, and checking what comes back."""

from __future__ import annotations

from bedrock_rft_sim.contract.payload_profiles import PROFILES
from bedrock_rft_sim.grader.event import build_event
from bedrock_rft_sim.grader.grader import Grader
from bedrock_rft_sim.grader.reward import RewardFile
from bedrock_rft_sim.grader.samples import (
    Component,
    Grade,
    GradedBatch,
    Invocation,
    LambdaLimits,
    Sample,
)

__all__ = [
    "PROFILES",
    "Component",
    "Grade",
    "GradedBatch",
    "Grader",
    "Invocation",
    "LambdaLimits",
    "RewardFile",
    "Sample",
    "build_event",
]
