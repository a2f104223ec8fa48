"""The recipe of a job, asked from whichever service it is at."""

from __future__ import annotations

from pathlib import Path

from bedrock_rft_sim.cloud.account import open_aws
from bedrock_rft_sim.cloud.mantle import open_mantle
from bedrock_rft_sim.cloud.pull import describe, job_named
from bedrock_rft_sim.cloud.pull_fine_tuning import request_of_job, retrieve
from bedrock_rft_sim.cloud.recipe_of_job import recipe_text, request_of
from bedrock_rft_sim.cloud.record import CLOUD
from bedrock_rft_sim.recipe.dialects import bedrock, openai


def recipe_from_job(text: str, *, parent: Path = CLOUD) -> str:
    """Return a recipe that sends a job's request again; `text` names the job as for `rft pull`.

    What stands under `local:` names files that are not there yet.

    Raises:
        CloudError: there is no such job, or it can't be asked for.
    """
    job = job_named(text, parent=parent)
    if job.is_open_weight:
        request = request_of_job(retrieve(open_mantle(job.region), job.identifier))
        return recipe_text(request, openai.grader_arn(request), arn=job.identifier)
    found = describe(open_aws(job.region), job.identifier)
    request = request_of(found)
    return recipe_text(request, bedrock.grader_arn(request), arn=str(found["jobArn"]))
