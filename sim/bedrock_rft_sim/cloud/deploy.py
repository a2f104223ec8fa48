"""A job's model, deployed on demand so that it can be asked, and how to ask it.

Sources: botocore service model bedrock/2023-04-20 (CreateCustomModelDeployment; Creating, Active,
Failed); Amazon Bedrock user guide, deploy-custom-model-on-demand.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any, Final

from bedrock_rft_sim.cloud.account import Aws
from bedrock_rft_sim.cloud.record import ASKED, MADE, CloudRecord
from bedrock_rft_sim.errors import CloudError

KIND: Final = "deployment"
_POLL_S: Final = 10.0
_POLLS: Final = 360


def deploy(
    aws: Aws, job: Mapping[str, Any], record: CloudRecord, *, name: str,
    say: Callable[[str], None] = lambda _: None,
) -> str:  # fmt: skip
    """Deploy a job's model, wait until it can be asked, and return the deployment's ARN.

    Raises:
        CloudError: the job made no model, the name is another model's, or the deployment fails.
    """
    model = job.get("outputModelArn")
    if model is None:
        raise CloudError(
            "the job has no model to deploy",
            where=str(job["jobArn"]),
            expected="a job that is Completed",
            found=str(job["status"]),
        )
    found = _found(aws, name)
    if found is not None and found["modelArn"] != model:
        raise CloudError(
            "a deployment of this name is another model's",
            where=name,
            expected=model,
            found=str(found["modelArn"]),
            hint="choose another --name",
        )
    if found is None:
        record.own(KIND, name)
        meaning = f"{job['jobArn']} {name} {record.get('deployed') or 0}"
        answer = aws.call(
            "bedrock",
            "CreateCustomModelDeployment",
            modelDeploymentName=name,
            modelArn=model,
            clientRequestToken=hashlib.sha256(meaning.encode()).hexdigest(),
        )
        say(f"deployment {answer['customModelDeploymentArn']}")
    if record.state(KIND, name) == ASKED:
        record.own(KIND, name, MADE)
    return _active(aws, name)


def _found(aws: Aws, name: str) -> dict[str, Any] | None:
    return aws.find("bedrock", "GetCustomModelDeployment", customModelDeploymentIdentifier=name)


def _active(aws: Aws, name: str) -> str:
    for _ in range(_POLLS):
        found = _found(aws, name)
        status = None if found is None else found["status"]
        if found is not None and status == "Active":
            return str(found["customModelDeploymentArn"])
        if found is None or status == "Failed":
            break
        aws.sleep(_POLL_S)
    failure = "" if found is None else str(found.get("failureMessage") or "no reason given")
    raise CloudError(
        "the deployment can't be asked",
        where=name,
        expected="Active",
        found=aws.clean(f"{status}: {failure}"),
        hint="the same command again goes on waiting; rft clean deletes it",
    )


def converse_command(arn: str, *, region: str) -> str:
    """Return a command line that asks a deployment."""
    message = [{"role": "user", "content": [{"text": "What is 2 + 3?"}]}]
    words = ["aws", "bedrock-runtime", "converse", "--region", region, "--model-id", arn]
    return shlex.join([*words, "--messages", json.dumps(message)])
