"""The base models that reinforcement fine-tuning is documented for, and no others.

Sources: `bedrock_rft_sim.contract.limits`; botocore service model bedrock/2023-04-20.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.server.errors import not_found
from bedrock_rft_sim.server.mapping import BASE_MODELS
from bedrock_rft_sim.server.rest import Call

if TYPE_CHECKING:
    from bedrock_rft_sim.server.state import ServerState

_PROVIDERS = {"amazon": "Amazon", "openai": "OpenAI", "qwen": "Qwen"}


class FoundationModels:
    """The operations on base models."""

    def __init__(self, state: ServerState) -> None:
        self._ids = [*BASE_MODELS, *(set(state.mapping.models or ()) - set(BASE_MODELS))]

    def list(self, call: Call) -> dict[str, Any]:
        """ListFoundationModels."""
        found = [_details(one, call.region) for one in self._ids]
        wanted = call.params
        provider = wanted.get("byProvider")
        return {
            "modelSummaries": [
                one
                for one in found
                if (provider is None or one["providerName"].lower() == provider.lower())
                and wanted.get("byOutputModality", "TEXT") == "TEXT"
                and wanted.get("byInferenceType", "ON_DEMAND") == "ON_DEMAND"
                and "byCustomizationType" not in wanted
            ]
        }

    def get(self, call: Call) -> dict[str, Any]:
        """GetFoundationModel."""
        identifier = call.params["modelIdentifier"].rpartition(":foundation-model/")[2]
        if identifier not in self._ids:
            raise not_found(f"Could not resolve the foundation model from {identifier!r}")
        return {"modelDetails": _details(identifier, call.region)}


def _details(model_id: str, region: str) -> dict[str, Any]:
    provider, _, name = model_id.partition(".")
    return {
        "modelArn": f"arn:aws:bedrock:{region}::foundation-model/{model_id}",
        "modelId": model_id,
        "modelName": name,
        "providerName": _PROVIDERS.get(provider, provider),
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        # The enum has no word for reinforcement fine-tuning.
        "customizationsSupported": [],
        "inferenceTypesSupported": ["ON_DEMAND"],
        "modelLifecycle": {"status": "ACTIVE"},
    }
