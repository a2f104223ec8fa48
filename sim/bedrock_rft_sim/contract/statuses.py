"""Job statuses in Bedrock's words and in OpenAI's.

Deliberately no state machine: who may move from one status to the next is the job's own business.
Sources: botocore service model bedrock/2023-04-20; AWS Bedrock user guide,
model-customization-monitor; openai Python library, type definitions of fine_tuning.jobs.
"""

from __future__ import annotations

from typing import Final, Literal

# Bedrock sources show only succeeded and cancelled in use; the rest is OpenAI's set.
OpenAIStatus = Literal["validating_files", "queued", "running", "succeeded", "failed", "cancelled"]

IN_PROGRESS: Final = "InProgress"
COMPLETED: Final = "Completed"
FAILED: Final = "Failed"
STOPPING: Final = "Stopping"
STOPPED: Final = "Stopped"
BEDROCK_STATUSES: Final = (IN_PROGRESS, COMPLETED, FAILED, STOPPING, STOPPED)

# The three phases of `statusDetails`, in order; the API text ties them to distillation, the
# monitoring page describes every job this way.
PHASES: Final = ("validationDetails", "dataProcessingDetails", "trainingDetails")
