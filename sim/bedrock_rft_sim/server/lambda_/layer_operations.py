"""Publish, read, list and delete layers.

Source: AWS Lambda API reference.
"""

from __future__ import annotations

from typing import Any, Final

from bedrock_rft_sim.server.errors import not_found
from bedrock_rft_sim.server.lambda_.code import code_from
from bedrock_rft_sim.server.lambda_.layers import LayerId, Version, find_layer
from bedrock_rft_sim.server.lambda_.store import now
from bedrock_rft_sim.server.pages import lambda_page
from bedrock_rft_sim.server.rest import Call
from bedrock_rft_sim.server.state import ServerState

_ECHOED: Final = ("Description", "CompatibleArchitectures", "CompatibleRuntimes", "LicenseInfo")


class LayerOperations:
    """The operations on layers."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._layers = state.layers

    def publish(self, call: Call) -> dict[str, Any]:
        """PublishLayerVersion."""
        layer, params = _layer(call), call.params
        code = code_from(params["Content"], self._state.functions.code, self._state.s3)
        own: dict[str, Any] = {name: params[name] for name in _ECHOED if name in params}
        version = self._layers.add(layer, {**own, **code, "CreatedDate": now()})
        return self._described(layer, version)

    def get(self, call: Call) -> dict[str, Any]:
        """GetLayerVersion; the code is not offered for download."""
        return self._found(_layer(call), str(call.params["VersionNumber"]))

    def get_by_arn(self, call: Call) -> dict[str, Any]:
        """GetLayerVersionByArn."""
        layer, version = find_layer(call.params["Arn"], region=call.region)
        return self._found(layer, version or "")

    def list(self, call: Call) -> dict[str, Any]:
        """ListLayers."""
        found: list[dict[str, Any]] = []
        for layer in self._layers.of_region(call.region):
            versions = self._layers.versions(layer)
            if versions:
                newest = max(versions.values(), key=lambda one: int(one["Version"]))
                own = {"LayerName": layer.name, "LayerArn": layer.arn}
                found.append({**own, "LatestMatchingVersion": _summary(layer, newest)})
        return lambda_page("Layers", found, call.params, key=lambda one: (one["LayerName"],))

    def list_versions(self, call: Call) -> dict[str, Any]:
        """ListLayerVersions, the newest first."""
        layer = _layer(call)
        found = [_summary(layer, one) for one in self._layers.versions(layer).values()]
        return lambda_page("LayerVersions", found, call.params, key=lambda one: (-one["Version"],))

    def delete(self, call: Call) -> dict[str, Any]:
        """DeleteLayerVersion."""
        self._layers.remove(_layer(call), str(call.params["VersionNumber"]))
        return {}

    def _found(self, layer: LayerId, version: str) -> dict[str, Any]:
        found = self._layers.versions(layer).get(version)
        if found is None:
            raise not_found(f"The resource you requested does not exist: {layer.arn}:{version}")
        return self._described(layer, found)

    def _described(self, layer: LayerId, version: Version) -> dict[str, Any]:
        content = {
            "CodeSha256": version["CodeSha256"],
            "CodeSize": version["CodeSize"],
            "Location": self._state.functions.code.path(version["codeFolder"]).as_uri(),
        }
        return {**_summary(layer, version), "LayerArn": layer.arn, "Content": content}


def _layer(call: Call) -> LayerId:
    layer, _ = find_layer(call.params["LayerName"], region=call.region)
    return layer


def _summary(layer: LayerId, version: Version) -> dict[str, Any]:
    own = {name: version.get(name) for name in (*_ECHOED, "Version", "CreatedDate")}
    return {**own, "LayerVersionArn": f"{layer.arn}:{version['Version']}"}
