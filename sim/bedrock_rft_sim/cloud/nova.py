"""The job of the bedrock dialect: its names, its token, the one call that costs money.

Sources: botocore service model bedrock/2023-04-20 (clientRequestToken, the operations on jobs).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from bedrock_rft_sim.cloud.account import Aws, AwsRefusalError
from bedrock_rft_sim.cloud.names import FunctionArn
from bedrock_rft_sim.cloud.prepared import Prepared
from bedrock_rft_sim.cloud.record import CloudRecord
from bedrock_rft_sim.cloud.role import KIND as ROLE
from bedrock_rft_sim.cloud.steps import PlannedStep

KIND: Final = "job"
_TOKEN: Final = "clientRequestToken"  # noqa: S105 - a name


def plan_job(aws: Aws, prepared: Prepared, record: CloudRecord) -> PlannedStep:
    """Say what will be sent, and whether its names are free."""
    request = prepared.recipe.request
    name, model = str(request["jobName"]), str(request["customModelName"])
    words = f"create_model_customization_job {name}, which makes the model {model}"
    asked = record.get("job")
    if asked is not None and is_job_of(prepared, asked):
        return PlannedStep(KIND, name, "submit", f"{words}: once more, with the same token")
    blocker = None
    if aws.find("bedrock", "GetModelCustomizationJob", jobIdentifier=name) is not None:
        blocker = f"a job {name} is there already; choose another jobName"
    elif _is_taken(aws, model):
        blocker = f"a custom model {model} is there already; choose another customModelName"
    return PlannedStep(KIND, name, "submit", words, blocker, _support(aws, prepared))


def _is_taken(aws: Aws, model: str) -> bool:
    asked: dict[str, Any] = {"nameContains": model}
    while True:
        found = aws.call("bedrock", "ListCustomModels", **asked)
        if any(each["modelName"] == model for each in found.get("modelSummaries", [])):
            return True
        if not found.get("nextToken"):
            return False
        asked["nextToken"] = found["nextToken"]


def _support(aws: Aws, prepared: Prepared) -> tuple[str, ...]:
    base = prepared.recipe.base_model
    found = aws.find("bedrock", "GetFoundationModel", modelIdentifier=base)
    if found is None:
        return (f"Bedrock names no base model {base} in {aws.region}",)
    # What it supports has no word for reinforcement fine-tuning, so only an empty list says much.
    if (found.get("modelDetails") or {}).get("customizationsSupported"):
        return ()
    return (f"Bedrock names no customization that {base} supports",)


def is_job_of(prepared: Prepared, job: Mapping[str, Any]) -> bool:
    """Whether a job was asked for with this recipe's request, whatever version it named."""
    grader = job["request"]["customizationConfig"]["rftConfig"]["graderConfig"]
    sent = str(grader["lambdaGrader"]["lambdaArn"])
    return bool(_request(prepared, sent) == job["request"])


def make_job(aws: Aws, prepared: Prepared, record: CloudRecord, *, function: str) -> str:
    """Create the job and return its ARN; the request and its token are written down first.

    Raises:
        CloudError: Bedrock refuses.
    """
    request = _request(prepared, function)
    token = request.get(_TOKEN) or _token(aws, prepared.function, request)
    job = {"name": request["jobName"], "token": token, "request": request, "arn": None}
    record.set(job=job)
    assert prepared.role is not None, "a request for Nova"
    is_new_role = record.state(ROLE, prepared.role.name) is not None
    answer = aws.patiently(
        "bedrock",
        "CreateModelCustomizationJob",
        until=lambda error: is_new_role and _is_about_the_role(error),
        **{**request, _TOKEN: token},
    )
    record.set(job={**job, "arn": answer["jobArn"]})
    return str(answer["jobArn"])


def _request(prepared: Prepared, function: str) -> dict[str, Any]:
    request = prepared.recipe.payload()
    assert request is not None, "prepare refuses a recipe that Bedrock would refuse"
    grader = request["customizationConfig"]["rftConfig"]["graderConfig"]["lambdaGrader"]
    grader["lambdaArn"] = function
    return request


def _token(aws: Aws, function: FunctionArn, request: dict[str, Any]) -> str:
    """Return a token that the same request gives again, so that it can't buy two jobs."""
    meaning = json.dumps([function.account, aws.region, request], sort_keys=True)
    return hashlib.sha256(meaning.encode()).hexdigest()


def _is_about_the_role(error: AwsRefusalError) -> bool:
    return error.code == "ValidationException" and "role" in (error.found or "").lower()
