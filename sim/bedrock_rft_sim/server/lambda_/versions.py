"""Versions and aliases.

Weighted routing between two versions is refused: an alias here points to one.
Sources: AWS Lambda API reference.
"""

from __future__ import annotations

from typing import Any

from bedrock_rft_sim.server.errors import AwsError, invalid_parameter, not_found
from bedrock_rft_sim.server.lambda_.functions import configuration, publish, version_number
from bedrock_rft_sim.server.lambda_.references import FunctionId, find_function
from bedrock_rft_sim.server.lambda_.store import LATEST, revision
from bedrock_rft_sim.server.pages import lambda_page
from bedrock_rft_sim.server.rest import Call
from bedrock_rft_sim.server.state import ServerState


class VersionOperations:
    """The operations on versions and aliases."""

    def __init__(self, state: ServerState) -> None:
        self._store = state.functions

    def publish(self, call: Call) -> dict[str, Any]:
        """PublishVersion."""
        function, expected = _function(call), call.params.get("CodeSha256")
        self._store.resolve(function.arn).refuse_busy()
        with self._store.change(function) as record:
            if expected not in (None, record["versions"][LATEST]["CodeSha256"]):
                raise invalid_parameter("CodeSHA256 does not match that of $LATEST")
            version = publish(record, description=call.params.get("Description"))
        return configuration(self._store.resolve(function.arn, version))

    def list(self, call: Call) -> dict[str, Any]:
        """ListVersionsByFunction."""
        function = _function(call)
        found = [
            configuration(self._store.resolve(function.arn, version))
            for version in self._store.record(function)["versions"]
        ]
        return lambda_page("Versions", found, call.params, key=lambda one: (version_number(one),))

    def create_alias(self, call: Call) -> dict[str, Any]:
        """CreateAlias."""
        alias = call.params["Name"]
        with self._store.change(_function(call)) as record:
            if alias in record["aliases"]:
                raise AwsError("ResourceConflictException", f"Alias already exists: {alias}")
            return _set_alias(record, {"Description": ""}, call)

    def update_alias(self, call: Call) -> dict[str, Any]:
        """UpdateAlias."""
        with self._store.change(_function(call)) as record:
            return _set_alias(record, _alias(record, call), call)

    def get_alias(self, call: Call) -> dict[str, Any]:
        """GetAlias."""
        return _alias(self._store.record(_function(call)), call)

    def delete_alias(self, call: Call) -> dict[str, Any]:
        """DeleteAlias."""
        with self._store.change(_function(call)) as record:
            record["aliases"].pop(call.params["Name"], None)
        return {}

    def list_aliases(self, call: Call) -> dict[str, Any]:
        """ListAliases."""
        version = call.params.get("FunctionVersion")
        found = [
            alias
            for alias in self._store.record(_function(call))["aliases"].values()
            if version in (None, alias["FunctionVersion"])
        ]
        return lambda_page("Aliases", found, call.params, key=lambda one: (one["Name"],))


def _function(call: Call) -> FunctionId:
    return find_function(call.params["FunctionName"], region=call.region)[0]


def _alias(record: dict[str, Any], call: Call) -> dict[str, Any]:
    found: dict[str, Any] | None = record["aliases"].get(call.params["Name"])
    if found is None:
        raise not_found(f"Cannot find alias arn: {record['arn']}:{call.params['Name']}")
    return found


def _set_alias(record: dict[str, Any], known: dict[str, Any], call: Call) -> dict[str, Any]:
    """Put what the request says over what is known of an alias."""
    if call.params.get("RoutingConfig"):
        raise invalid_parameter("weighted routing is not simulated")
    alias, stated = call.params["Name"], ("FunctionVersion", "Description")
    changed: dict[str, Any] = {
        **known,
        "Name": alias,
        "AliasArn": f"{record['arn']}:{alias}",
        "RevisionId": revision(),
        **{name: call.params[name] for name in stated if name in call.params},
    }
    if changed["FunctionVersion"] not in record["versions"]:
        raise not_found(f"Function not found: {record['arn']}:{changed['FunctionVersion']}")
    record["aliases"][alias] = changed
    return changed
