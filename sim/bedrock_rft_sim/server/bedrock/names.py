"""ARNs of jobs, custom models and deployments, and finding a thing by name, id or ARN.

Deliberately looks at the end of an ARN only: one server is one account, whatever the Region.
Sources: botocore service model bedrock/2023-04-20.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from bedrock_rft_sim.jobs import Job, Jobs, UnknownJobError
from bedrock_rft_sim.recipe.dialects import bedrock

if TYPE_CHECKING:
    from bedrock_rft_sim.server.bedrock.deployments import Deployments

ACCOUNT: Final = "123456789012"
ID_LENGTH: Final = 12
JOB: Final = ":model-customization-job/"
MODEL: Final = ":custom-model/"
DEPLOYMENT: Final = ":custom-model-deployment/"


def model_id(job: Job) -> str:
    """Return the 12 letters and digits of the model that a job makes."""
    return hashlib.sha256(job.id.encode()).hexdigest()[:ID_LENGTH]


def base_model_arn(job: Job) -> str:
    """Return the ARN of the base model."""
    base = bedrock.model_id(job.request)
    return f"arn:aws:bedrock:{region(job)}::foundation-model/{base}"


def job_arn(job: Job) -> str:
    """Return the job's ARN."""
    return f"{_prefix(job)}{JOB}{bedrock.model_id(job.request)}/{job.id}"


def model_arn(job: Job) -> str:
    """Return the ARN of the model that a job makes."""
    return f"{_prefix(job)}{MODEL}{bedrock.model_id(job.request)}/{model_id(job)}"


def region(job: Job) -> str:
    """Return the Region the job was created in."""
    return job.bedrock.region


def find_job(jobs: Jobs, identifier: str) -> Job | None:
    """Return the job of this name, id or ARN."""
    wanted = _id_in(identifier, JOB)
    named = None if JOB in identifier else jobs.with_name("bedrock", wanted)
    try:
        found = named or jobs.get(wanted)
    except UnknownJobError:
        return None
    return found if found.kind == "bedrock" else None


def has_model(job: Job) -> bool:
    """Whether the job made a model which is still there."""
    return job.status == "completed" and not job.bedrock.model_deleted


def find_model(jobs: Jobs, identifier: str) -> Job | None:
    """Return the job that made the custom model of this name, id or ARN."""
    wanted = _id_in(identifier, MODEL)
    for job in jobs.list("bedrock"):
        if has_model(job) and wanted in (model_id(job), job.request["customModelName"]):
            return job
    return None


def find_deployment(deployments: Deployments, identifier: str) -> dict[str, Any] | None:
    """Return the deployment of this name, id or ARN."""
    wanted = _id_in(identifier, DEPLOYMENT)
    for deployment in deployments.all():
        if wanted in (deployment["id"], deployment["modelDeploymentName"]):
            return deployment
    return None


def _prefix(job: Job) -> str:
    return f"arn:aws:bedrock:{region(job)}:{ACCOUNT}"


def _id_in(identifier: str, kind: str) -> str:
    return identifier.rpartition("/")[2] if kind in identifier else identifier
