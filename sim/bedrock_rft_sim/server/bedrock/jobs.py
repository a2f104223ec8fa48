"""Create, read, list and stop customization jobs.

A request that Bedrock would refuse is refused, with what it breaks and who says so.
Bedrock's API has no job events, so what the rehearsal does differently stands in a header of
Create's and Get's answers: `ResponseMetadata.HTTPHeaders` in boto3.
Assumed: a job's and a model's name in use is a conflict; data out of its limits is refused at once,
where Bedrock would fail the job in its first phase.
Sources: botocore service model bedrock/2023-04-20; Amazon Bedrock user guide, rft-submit-job and
model-customization-monitor.
"""

from __future__ import annotations

import threading
from dataclasses import astuple
from typing import Any, Final

from bedrock_rft_sim.contract.limits import NOVA_RFT_MODELS
from bedrock_rft_sim.contract.statuses import PHASES
from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.jobs import BedrockDetails, Job
from bedrock_rft_sim.recipe.dialects import bedrock
from bedrock_rft_sim.server.bedrock.inputs import prepare
from bedrock_rft_sim.server.bedrock.names import (
    ECHOED,
    base_model_arn,
    find_job,
    job_arn,
    model_arn,
)
from bedrock_rft_sim.server.errors import conflict, detected, invalid, not_found
from bedrock_rft_sim.server.model_ids import spelled
from bedrock_rft_sim.server.pages import bedrock_page, is_within
from bedrock_rft_sim.server.rehearsal import failure_of, rehearsal_of, told
from bedrock_rft_sim.server.rest import Call, Output
from bedrock_rft_sim.server.state import ServerState

_BASE: Final = "baseModelIdentifier"
_TOKEN: Final = "clientRequestToken"  # noqa: S105 - the field's name
_TYPE: Final = "REINFORCEMENT_FINE_TUNING"
_ECHOED: Final = (*ECHOED, _TOKEN, "roleArn", "vpcConfig")
REHEARSAL: Final = "x-rft-rehearsal"
"""The header; its value is ASCII, each remark ends with a full stop."""


class CustomizationJobs:
    """The operations on customization jobs."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._jobs = state.jobs
        self._adding = threading.Lock()

    def create(self, call: Call) -> Output:
        """CreateModelCustomizationJob."""
        asked = call.params
        request = self._as_documented(asked)
        job = self._known(request)
        if job is None:
            _check(request, call.region)
            self._refuse_names_in_use(request)
            local, function = prepare(self._state, request)
            try:
                recipe, remarks = rehearsal_of(self._state, "bedrock", request, local)
            except RecipeError as error:
                raise invalid(str(error)) from None
            details = BedrockDetails(
                region=call.region,
                remarks=[*remarks, *spelled(asked[_BASE], request[_BASE])],
                function=function,
                job_tags=request.get("jobTags", []),
                model_tags=request.get("customModelTags", []),
            )
            job = self._add(details, recipe, request)
        return Output({"jobArn": job_arn(job)}, _remarks(job))

    def _known(self, request: dict[str, Any]) -> Job | None:
        token = request.get(_TOKEN)
        return self._jobs.with_token("bedrock", token) if token else None

    def _add(self, details: BedrockDetails, recipe: dict[str, Any], request: dict[str, Any]) -> Job:
        """Add the job, unless another request of its token or names came first meanwhile."""
        with self._adding:
            known = self._known(request)
            if known is not None:
                return known
            self._refuse_names_in_use(request)
            name, token = request["jobName"], request.get(_TOKEN)
            return self._jobs.create(details, recipe, name=name, request=request, token=token)

    def get(self, call: Call) -> Output:
        """GetModelCustomizationJob."""
        job = self._found(call)
        output = {
            **_summary(job),
            "outputModelName": job.request["customModelName"],
            "outputModelArn": _made(job),
            "failureMessage": failure_of(job),
            "outputModelKmsKeyArn": job.request.get("customModelKmsKeyId"),
            **{name: job.request.get(name) for name in _ECHOED},
        }
        return Output(output, _remarks(job))

    def list(self, call: Call) -> dict[str, Any]:
        """ListModelCustomizationJobs."""
        params = call.params
        wanted = [
            job
            for job in self._jobs.list("bedrock")
            if params.get("nameContains", "") in job.name
            and params.get("statusEquals", job.api_status) == job.api_status
            and is_within(job.created, params)
        ]
        shown, following = bedrock_page(wanted, params, key=lambda job: (job.created, job.id))
        summaries = [
            {
                **_summary(job),
                "customModelArn": _made(job),
                "customModelName": _made(job) and job.request["customModelName"],
            }
            for job in shown
        ]
        return {"modelCustomizationJobSummaries": summaries, "nextToken": following}

    def stop(self, call: Call) -> dict[str, Any]:
        """StopModelCustomizationJob."""
        job = self._found(call)
        if job.has_ended:
            raise conflict(f"the job {job.name} is {job.api_status} and can't be stopped")
        self._jobs.stop(job.id)
        return {}

    def _as_documented(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the request with the base model's documented spelling."""
        base = self._state.mapping.base(request[_BASE])
        if base is None:
            return request
        before, _, _ = request[_BASE].rpartition("/")  # of an ARN, whose Region counts
        return {**request, _BASE: f"{before}/{base}" if before else base}

    def _found(self, call: Call) -> Job:
        identifier = call.params["jobIdentifier"]
        job = find_job(self._jobs, identifier)
        if job is None:
            raise not_found(f"Could not find model customization job {identifier!r}")
        return job

    def _refuse_names_in_use(self, request: dict[str, Any]) -> None:
        name, model = request["jobName"], request["customModelName"]
        for job in self._jobs.list("bedrock"):
            if job.name == name:
                raise conflict(f"a model customization job named {name!r} already exists")
            is_gone = job.status in ("failed", "stopped") or job.bedrock.model_deleted
            if job.request["customModelName"] == model and not is_gone:
                raise conflict(f"a custom model named {model!r} already exists or is being made")


def _check(request: dict[str, Any], region: str) -> None:
    kind = request.get("customizationType")
    if kind is not None and kind != _TYPE:
        raise invalid(f"customizationType {kind} is not simulated; {_TYPE} is")
    refusals = [str(refusal) for refusal in bedrock.check(request)]
    if refusals:
        raise invalid(detected(refusals))
    base = bedrock.model_id(request)
    if region not in NOVA_RFT_MODELS[base]:
        offered = ", ".join(NOVA_RFT_MODELS[base])
        raise invalid(f"{base} is offered for {_TYPE} in {offered}, not in {region}")


def _remarks(job: Job) -> dict[str, str]:
    """Say in a header what `told` says; what a header can't hold is escaped."""
    words = " ".join(f"{remark}." for remark in told(job))
    return {REHEARSAL: words.encode("unicode_escape").decode("ascii")} if words else {}


def _made(job: Job) -> str | None:
    return model_arn(job) if job.status == "completed" else None


def _summary(job: Job) -> dict[str, Any]:
    """Return what Get and List both say."""
    names = ("status", "creationTime", "lastModifiedTime")
    phases = (job.phases.validation, job.phases.data_processing, job.phases.training)
    details = [dict(zip(names, astuple(phase), strict=True)) for phase in phases]
    return {
        "jobArn": job_arn(job),
        "baseModelArn": base_model_arn(job),
        "jobName": job.name,
        "status": job.api_status,
        "statusDetails": dict(zip(PHASES, details, strict=True)),
        "creationTime": job.created,
        "lastModifiedTime": job.modified,
        "endTime": job.ended,
        "customizationType": job.request.get("customizationType"),
    }
