"""The request of a job, asked from whichever service it is at.

Source: botocore service model bedrock/2023-04-20 (the pattern of a job's ARN, and the id in it).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.cloud.account import open_aws
from bedrock_rft_sim.cloud.mantle import open_mantle
from bedrock_rft_sim.cloud.pull import OPENAI_JOB, describe, job_named
from bedrock_rft_sim.cloud.pull_fine_tuning import request_of_job, retrieve
from bedrock_rft_sim.cloud.recipe_of_job import request_of
from bedrock_rft_sim.cloud.record import CLOUD, folder_named

_ID: Final = re.compile(r"arn:.*|[a-z0-9]{12}|" + OPENAI_JOB + ".*")
"""An ARN, or the id of Bedrock at the end of one, or of bedrock-mantle."""


def names_a_job(text: str, *, parent: Path = CLOUD) -> bool:
    """Whether a text that is no file is a job's ARN or id, or leads to a job's folder."""
    is_id = _ID.fullmatch(text) is not None and not Path(text).exists()
    return is_id or folder_named(text, parent=parent) is not None


def request_from_job(text: str, *, parent: Path = CLOUD) -> dict[str, Any]:
    """Return a job's request; `text` names the job as for `rft pull`.

    Raises:
        CloudError: there is no such job, or it can't be asked for.
    """
    job = job_named(text, parent=parent)
    if job.is_open_weight:
        return request_of_job(retrieve(open_mantle(job.region), job.identifier))
    return request_of(describe(open_aws(job.region), job.identifier))
