"""Read, list and delete the models that completed jobs made.

A deleted model's files stay in its run folder, where its report and checkpoints are too.
Sources: botocore service model bedrock/2023-04-20.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bedrock_rft_sim.jobs import Job
from bedrock_rft_sim.server.bedrock.filters import is_ascending, within
from bedrock_rft_sim.server.bedrock.names import (
    ACCOUNT,
    base_model_arn,
    find_deployment,
    find_model,
    has_model,
    job_arn,
    model_arn,
)
from bedrock_rft_sim.server.errors import conflict, not_found
from bedrock_rft_sim.server.pages import page
from bedrock_rft_sim.server.rest import Call

if TYPE_CHECKING:
    from bedrock_rft_sim.server.state import ServerState

_PAGE: Final = 100


class CustomModels:
    """The operations on custom models."""

    def __init__(self, state: ServerState) -> None:
        self._jobs = state.jobs
        self._deployments = state.deployments

    def get(self, call: Call) -> dict[str, Any]:
        """GetCustomModel."""
        job = self._found(call)
        request = job.request
        return {
            "modelArn": model_arn(job),
            "modelName": request["customModelName"],
            "jobName": job.name,
            "jobArn": job_arn(job),
            "baseModelArn": base_model_arn(job),
            "customizationType": request["customizationType"],
            "modelKmsKeyArn": request.get("customModelKmsKeyId"),
            "hyperParameters": request.get("hyperParameters"),
            "trainingDataConfig": request["trainingDataConfig"],
            "validationDataConfig": request.get("validationDataConfig"),
            "outputDataConfig": request["outputDataConfig"],
            "customizationConfig": request["customizationConfig"],
            "creationTime": job.ended,
            "modelStatus": "Active",
        }

    def list(self, call: Call) -> dict[str, Any]:
        """ListCustomModels."""
        params = call.params

        def is_wanted(job: Job) -> bool:
            is_named = params.get("nameContains", "") in job.request["customModelName"]
            made = job.ended or job.created
            return is_named and has_model(job) and within(made, params) and _is_of(job, params)

        shown, following = page(
            self._jobs.list("bedrock"),
            key=lambda job: (job.ended or job.created, job.id),
            is_ascending=is_ascending(params),
            keep=is_wanted,
            size=params.get("maxResults", _PAGE),
            token=params.get("nextToken"),
        )
        return {"modelSummaries": [_summary(job) for job in shown], "nextToken": following}

    def delete(self, call: Call) -> dict[str, Any]:
        """DeleteCustomModel."""
        job = self._found(call)
        for deployment in self._deployments.all():
            if deployment["modelArn"] == model_arn(job):
                name = deployment["modelDeploymentName"]
                raise conflict(f"the model is deployed as {name!r}; delete the deployment first")
        self._jobs.update_details(job.id, model_deleted=True)
        return {}

    def _found(self, call: Call) -> Job:
        identifier = call.params["modelIdentifier"]
        deployment = find_deployment(self._deployments, identifier)
        job = find_model(self._jobs, identifier) if deployment is None else None
        if job is None:
            raise not_found(f"Could not find custom model {identifier!r}")
        return job


def _is_of(job: Job, params: dict[str, Any]) -> bool:
    base = base_model_arn(job)
    for name in ("baseModelArnEquals", "foundationModelArnEquals"):
        if params.get(name, base) != base:
            return False
    is_owned = params.get("isOwned", True)
    return is_owned and params.get("modelStatus", "Active") == "Active"


def _summary(job: Job) -> dict[str, Any]:
    base = base_model_arn(job)
    return {
        "modelArn": model_arn(job),
        "modelName": job.request["customModelName"],
        "creationTime": job.ended,
        "baseModelArn": base,
        "baseModelName": base.rpartition("/")[2],
        "customizationType": job.request["customizationType"],
        "ownerAccountId": ACCOUNT,
        "modelStatus": "Active",
    }
