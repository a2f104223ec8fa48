"""Job statuses in Bedrock's words and in OpenAI's, and how one becomes the other.

Deliberately no state machine: who may move from one status to the next is the job's own business.
Sources: botocore service model bedrock/2023-04-20; AWS Bedrock user guide,
model-customization-monitor; openai Python library, type definitions of fine_tuning.jobs.
"""

from __future__ import annotations

from typing import Final, Literal

BedrockStatus = Literal["InProgress", "Completed", "Failed", "Stopping", "Stopped"]
OpenAIStatus = Literal["validating_files", "queued", "running", "succeeded", "failed", "cancelled"]
PhaseStatus = Literal["NotStarted", "InProgress", "Completed", "Stopping", "Stopped", "Failed"]

IN_PROGRESS: Final = "InProgress"
COMPLETED: Final = "Completed"
FAILED: Final = "Failed"
STOPPING: Final = "Stopping"
STOPPED: Final = "Stopped"

BEDROCK_STATUSES: Final[tuple[BedrockStatus, ...]] = (
    "InProgress",
    "Completed",
    "Failed",
    "Stopping",
    "Stopped",
)
TERMINAL_STATUSES: Final = frozenset({COMPLETED, FAILED, STOPPED})

# The three phases of `statusDetails`, in order; the API text ties them to distillation, the
# monitoring page describes every job this way.
PHASES: Final = ("validationDetails", "dataProcessingDetails", "trainingDetails")
PHASE_STATUSES: Final[tuple[PhaseStatus, ...]] = (
    "NotStarted",
    "InProgress",
    "Completed",
    "Stopping",
    "Stopped",
    "Failed",
)

# Bedrock sources show only succeeded and cancelled in use; the rest is OpenAI's set.
OPENAI_STATUSES: Final[tuple[OpenAIStatus, ...]] = (
    "validating_files",
    "queued",
    "running",
    "succeeded",
    "failed",
    "cancelled",
)

TO_OPENAI: Final[dict[BedrockStatus, OpenAIStatus]] = {
    "InProgress": "running",
    "Completed": "succeeded",
    "Failed": "failed",
    "Stopping": "running",
    "Stopped": "cancelled",
}
