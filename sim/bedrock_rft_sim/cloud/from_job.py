"""The request of a job, asked from whichever service it is at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bedrock_rft_sim.cloud.account import open_aws
from bedrock_rft_sim.cloud.mantle import open_mantle
from bedrock_rft_sim.cloud.pull import OPENAI_JOB, describe, job_named
from bedrock_rft_sim.cloud.pull_fine_tuning import request_of_job, retrieve
from bedrock_rft_sim.cloud.recipe_of_job import request_of
from bedrock_rft_sim.cloud.record import CLOUD, folder_named


def names_a_job(text: str, *, parent: Path = CLOUD) -> bool:
    """Whether a text is an ARN, an id of bedrock-mantle, or leads to a job's folder."""
    return text.startswith(("arn:", OPENAI_JOB)) or folder_named(text, parent=parent) is not None


def request_from_job(text: str, *, parent: Path = CLOUD) -> dict[str, Any]:
    """Return a job's request; `text` names the job as for `rft pull`.

    Raises:
        CloudError: there is no such job, or it can't be asked for.
    """
    job = job_named(text, parent=parent)
    if job.is_open_weight:
        return request_of_job(retrieve(open_mantle(job.region), job.identifier))
    return request_of(describe(open_aws(job.region), job.identifier))
