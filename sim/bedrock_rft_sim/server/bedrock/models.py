"""Custom models, which completed jobs made; the base models, and their inference profiles.

A deleted model's files stay in its run folder, where its report and checkpoints are too.
Sources: `bedrock_rft_sim.contract.limits`; botocore service model bedrock/2023-04-20.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from bedrock_rft_sim.contract.limits import NOVA_RFT_MODELS, OPEN_WEIGHT_RFT_MODELS
from bedrock_rft_sim.jobs import Job
from bedrock_rft_sim.recipe.dialects import bedrock
from bedrock_rft_sim.server.bedrock import names
from bedrock_rft_sim.server.errors import conflict, not_found
from bedrock_rft_sim.server.model_ids import INFERENCE_PROFILE, plain_id
from bedrock_rft_sim.server.pages import bedrock_page, is_within, page
from bedrock_rft_sim.server.rest import Call
from bedrock_rft_sim.server.state import ServerState

_GEOGRAPHIES: Final = {"eu": "eu", "ap": "apac"}
"""By the first word of a Region's name; `us` for all others."""
_CUSTOMIZATION: Final = "FINE_TUNING"
"""Assumed of models that RFT takes: the enum has no word of its own for it."""
_SYSTEM: Final = "SYSTEM_DEFINED"
_PROVIDERS: Final = {"amazon": "Amazon", "openai": "OpenAI", "qwen": "Qwen"}


class CustomModels:
    """The operations on custom models."""

    def __init__(self, state: ServerState) -> None:
        self._jobs = state.jobs
        self._deployments = state.deployments

    def get(self, call: Call) -> dict[str, Any]:
        """GetCustomModel."""
        job = self._found(call)
        return {
            **_summary(job),
            "jobName": job.name,
            "jobArn": names.job_arn(job),
            "modelKmsKeyArn": job.request.get("customModelKmsKeyId"),
            **{name: job.request.get(name) for name in names.ECHOED},
        }

    def list(self, call: Call) -> dict[str, Any]:
        """ListCustomModels."""
        params = call.params
        wanted = [
            job
            for job in self._jobs.list("bedrock")
            if names.has_model(job)
            and params.get("nameContains", "") in job.request["customModelName"]
            and is_within(_made(job), params)
            and _is_of(job, params)
        ]
        shown, following = bedrock_page(wanted, params, key=lambda job: (_made(job), job.id))
        summaries = [
            {
                **_summary(job),
                "baseModelName": bedrock.model_id(job.request),
                "ownerAccountId": names.ACCOUNT,
            }
            for job in shown
        ]
        return {"modelSummaries": summaries, "nextToken": following}

    def delete(self, call: Call) -> dict[str, Any]:
        """DeleteCustomModel."""
        job = self._found(call)
        for deployment in self._deployments.all():
            if deployment["modelArn"] == names.model_arn(job):
                name = deployment["modelDeploymentName"]
                raise conflict(f"the model is deployed as {name!r}; delete the deployment first")
        self._jobs.update_details(job.id, model_deleted=True)
        return {}

    def _found(self, call: Call) -> Job:
        identifier = call.params["modelIdentifier"]
        is_deployment = self._deployments.find(identifier) is not None
        job = None if is_deployment else names.find_model(self._jobs, identifier)
        if job is None:
            raise not_found(f"Could not find custom model {identifier!r}")
        return job


def _made(job: Job) -> float:
    return job.ended or job.created


def _is_of(job: Job, params: dict[str, Any]) -> bool:
    base = names.base_model_arn(job)
    bases = (params.get(name, base) for name in ("baseModelArnEquals", "foundationModelArnEquals"))
    is_shown = params.get("isOwned", True) and params.get("modelStatus", "Active") == "Active"
    return is_shown and all(one == base for one in bases)


def _summary(job: Job) -> dict[str, Any]:
    """Return what Get and List both say."""
    return {
        "modelArn": names.model_arn(job),
        "modelName": job.request["customModelName"],
        "creationTime": job.ended,
        "baseModelArn": names.base_model_arn(job),
        "customizationType": job.request["customizationType"],
        "modelStatus": "Active",
    }


class FoundationModels:
    """The operations on base models."""

    def __init__(self, state: ServerState) -> None:
        self._mapping = state.mapping

    def list(self, call: Call) -> dict[str, Any]:
        """ListFoundationModels."""
        found = [_base_model(one, call.region) for one in self._mapping.ids]
        wanted = call.params
        provider = wanted.get("byProvider")
        return {
            "modelSummaries": [
                one
                for one in found
                if (provider is None or one["providerName"].lower() == provider.lower())
                and wanted.get("byOutputModality", "TEXT") == "TEXT"
                and wanted.get("byInferenceType", "ON_DEMAND") == "ON_DEMAND"
                and wanted.get("byCustomizationType", _CUSTOMIZATION) == _CUSTOMIZATION
                and ("byCustomizationType" not in wanted or one["customizationsSupported"])
            ]
        }

    def get(self, call: Call) -> dict[str, Any]:
        """GetFoundationModel."""
        identifier = call.params["modelIdentifier"]
        found = self._mapping.base(identifier)
        if found is None:
            words = f"Could not resolve the foundation model from {identifier!r}"
            raise not_found(f"{words}. Known are {', '.join(self._mapping.ids)}.")
        return {"modelDetails": _base_model(found, call.region)}


class InferenceProfiles:
    """The operations on inference profiles: the call's geography, and the whole world.

    Assumed: every Nova model has both, and no other model has any.
    """

    def __init__(self, state: ServerState) -> None:
        self._mapping = state.mapping

    def list(self, call: Call) -> dict[str, Any]:
        """ListInferenceProfiles."""
        wanted = call.params.get("typeEquals", _SYSTEM) == _SYSTEM
        found = _profiles(self._mapping.ids, call.region) if wanted else []
        shown, following = page(found, call.params, key=lambda one: (one["inferenceProfileId"],))
        return {"inferenceProfileSummaries": shown, "nextToken": following}

    def get(self, call: Call) -> dict[str, Any]:
        """GetInferenceProfile."""
        identifier = call.params["inferenceProfileIdentifier"]
        wanted = identifier.rpartition(INFERENCE_PROFILE)[2]
        profiles = _profiles(self._mapping.ids, call.region)
        for profile in profiles:
            if profile["inferenceProfileId"] == wanted:
                return profile
        known = ", ".join(one["inferenceProfileId"] for one in profiles)
        raise not_found(f"Could not find the inference profile {identifier!r}; known are {known}")


def _profiles(model_ids: Sequence[str], region: str) -> list[dict[str, Any]]:
    geography = _GEOGRAPHIES.get(region.partition("-")[0], "us")
    return [
        _profile(f"{where}.{plain_id(one)}", plain_id(one), region)
        for one in model_ids
        if one.startswith("amazon.")
        for where in (geography, "global")
    ]


def _profile(profile_id: str, model_id: str, region: str) -> dict[str, Any]:
    arn = f"arn:aws:bedrock:{region}:{names.ACCOUNT}{INFERENCE_PROFILE}{profile_id}"
    model = f"arn:aws:bedrock:{region}:{names.FOUNDATION_MODEL}{model_id}"
    return {
        "inferenceProfileName": profile_id,
        "inferenceProfileId": profile_id,
        "inferenceProfileArn": arn,
        "models": [{"modelArn": model}],
        "status": "ACTIVE",
        "type": _SYSTEM,
    }


def _is_tuned(model_id: str) -> bool:
    return model_id in (*NOVA_RFT_MODELS, *OPEN_WEIGHT_RFT_MODELS)


def _base_model(model_id: str, region: str) -> dict[str, Any]:
    provider, _, name = model_id.partition(".")
    return {
        "modelArn": f"arn:aws:bedrock:{region}:{names.FOUNDATION_MODEL}{model_id}",
        "modelId": model_id,
        "modelName": name,
        "providerName": _PROVIDERS.get(provider, provider),
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "customizationsSupported": [_CUSTOMIZATION] if _is_tuned(model_id) else [],
        "inferenceTypesSupported": ["ON_DEMAND"],
        "modelLifecycle": {"status": "ACTIVE"},
    }
