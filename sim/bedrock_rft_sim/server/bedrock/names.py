"""ARNs of jobs and custom models, and finding one by name, id or ARN.

Deliberately looks at the end of an ARN only: one server is one account, whatever the Region.
Sources: botocore service model bedrock/2023-04-20.
"""

from __future__ import annotations

import hashlib
from typing import Final

from bedrock_rft_sim.jobs import BedrockDetails, Job, Jobs, UnknownJobError
from bedrock_rft_sim.jobs.job import BEDROCK_ID_LENGTH
from bedrock_rft_sim.recipe.dialects import bedrock

ACCOUNT: Final = "123456789012"
ECHOED: Final = (
    "hyperParameters",
    "trainingDataConfig",
    "validationDataConfig",
    "outputDataConfig",
    "customizationConfig",
)
"""What the request for a job says, and a job and its model say again."""
JOB: Final = ":model-customization-job/"
MODEL: Final = ":custom-model/"
DEPLOYMENT: Final = ":custom-model-deployment/"
FOUNDATION_MODEL: Final = ":foundation-model/"


def model_id(job: Job) -> str:
    """Return the 12 letters and digits of the model that a job makes."""
    return hashlib.sha256(job.id.encode()).hexdigest()[:BEDROCK_ID_LENGTH]


def base_model_arn(job: Job) -> str:
    """Return the ARN of the base model."""
    base = bedrock.model_id(job.request)
    return f"arn:aws:bedrock:{job.bedrock.region}:{FOUNDATION_MODEL}{base}"


def job_arn(job: Job) -> str:
    """Return the job's ARN."""
    return f"{_prefix(job)}{JOB}{bedrock.model_id(job.request)}/{job.id}"


def model_arn(job: Job) -> str:
    """Return the ARN of the model that a job makes."""
    return f"{_prefix(job)}{MODEL}{bedrock.model_id(job.request)}/{model_id(job)}"


def find_job(jobs: Jobs, identifier: str) -> Job | None:
    """Return the job of this name, id or ARN."""
    wanted = id_in(identifier, JOB)
    named = None if JOB in identifier else jobs.with_name("bedrock", wanted)
    try:
        found = named or jobs.get(wanted)
    except UnknownJobError:
        return None
    return found if found.kind == "bedrock" else None


def has_model(job: Job) -> bool:
    """Whether the job made a model which is still there."""
    is_deleted = isinstance(job.details, BedrockDetails) and job.details.model_deleted
    return job.status == "completed" and not is_deleted


def find_model(jobs: Jobs, identifier: str) -> Job | None:
    """Return the job that made the custom model of this name, id or ARN."""
    wanted = id_in(identifier, MODEL)
    for job in jobs.list("bedrock"):
        if has_model(job) and wanted in (model_id(job), job.request["customModelName"]):
            return job
    return None


def _prefix(job: Job) -> str:
    return f"arn:aws:bedrock:{job.bedrock.region}:{ACCOUNT}"


def id_in(identifier: str, kind: str) -> str:
    """Return the last part of an ARN of this kind, else the identifier itself."""
    return identifier.rpartition("/")[2] if kind in identifier else identifier
