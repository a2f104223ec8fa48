"""Versions and aliases.

Weighted routing between two versions is refused: an alias here points to one.
Sources: AWS Lambda API reference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from bedrock_rft_sim.server.errors import AwsError
from bedrock_rft_sim.server.lambda_.functions import configuration, publish, version_number
from bedrock_rft_sim.server.lambda_.references import FunctionId, find_function
from bedrock_rft_sim.server.lambda_.store import LATEST, revision
from bedrock_rft_sim.server.pages import Key, page
from bedrock_rft_sim.server.rest import Call

if TYPE_CHECKING:
    from bedrock_rft_sim.server.state import ServerState

_PAGE: Final = 50
_INVALID: Final = "InvalidParameterValueException"


class VersionOperations:
    """The operations on versions and aliases."""

    def __init__(self, state: ServerState) -> None:
        self._store = state.functions

    def publish(self, call: Call) -> dict[str, Any]:
        """PublishVersion."""
        function, record = self._record(call)
        asked = call.params.get("CodeSha256")
        if asked is not None and asked != record["versions"][LATEST]["CodeSha256"]:
            raise AwsError(_INVALID, "CodeSHA256 does not match that of $LATEST")
        version = publish(record, description=call.params.get("Description"))
        self._store.save(function, record)
        return configuration(self._store.resolve(function.arn, version))

    def list(self, call: Call) -> dict[str, Any]:
        """ListVersionsByFunction."""
        function, record = self._record(call)
        found = [
            configuration(self._store.resolve(function.arn, version))
            for version in record["versions"]
        ]
        shown, following = _page(found, call, key=lambda one: (version_number(one),))
        return {"Versions": shown, "NextMarker": following}

    def create_alias(self, call: Call) -> dict[str, Any]:
        """CreateAlias."""
        function, record = self._record(call)
        alias = call.params["Name"]
        if alias in record["aliases"]:
            raise AwsError("ResourceConflictException", f"Alias already exists: {alias}")
        return self._set(function, record, alias, {"Description": ""}, call)

    def update_alias(self, call: Call) -> dict[str, Any]:
        """UpdateAlias."""
        function, record = self._record(call)
        alias = call.params["Name"]
        return self._set(function, record, alias, self._alias(record, alias), call)

    def get_alias(self, call: Call) -> dict[str, Any]:
        """GetAlias."""
        _, record = self._record(call)
        return self._alias(record, call.params["Name"])

    def delete_alias(self, call: Call) -> dict[str, Any]:
        """DeleteAlias."""
        function, record = self._record(call)
        if record["aliases"].pop(call.params["Name"], None) is not None:
            self._store.save(function, record)
        return {}

    def list_aliases(self, call: Call) -> dict[str, Any]:
        """ListAliases."""
        _, record = self._record(call)
        version = call.params.get("FunctionVersion")
        found = [
            alias
            for alias in record["aliases"].values()
            if version in (None, alias["FunctionVersion"])
        ]
        shown, following = _page(found, call, key=lambda one: (one["Name"],))
        return {"Aliases": shown, "NextMarker": following}

    def _record(self, call: Call) -> tuple[FunctionId, dict[str, Any]]:
        function, _ = find_function(call.params["FunctionName"], region=call.region)
        return function, self._store.record(function)

    def _alias(self, record: dict[str, Any], alias: str) -> dict[str, Any]:
        found: dict[str, Any] | None = record["aliases"].get(alias)
        if found is None:
            words = f"Cannot find alias arn: {record['arn']}:{alias}"
            raise AwsError("ResourceNotFoundException", words)
        return found

    def _set(
        self,
        function: FunctionId,
        record: dict[str, Any],
        alias: str,
        known: dict[str, Any],
        call: Call,
    ) -> dict[str, Any]:
        if call.params.get("RoutingConfig"):
            raise AwsError(_INVALID, "weighted routing is not simulated")
        asked: dict[str, Any] = {
            key: call.params[key]
            for key in ("FunctionVersion", "Description")
            if key in call.params
        }
        arn = f"{record['arn']}:{alias}"
        changed: dict[str, Any] = {**known, "Name": alias, "AliasArn": arn, **asked}
        changed["RevisionId"] = revision()
        if changed["FunctionVersion"] not in record["versions"]:
            words = f"Function not found: {record['arn']}:{changed['FunctionVersion']}"
            raise AwsError("ResourceNotFoundException", words)
        record["aliases"][alias] = changed
        self._store.save(function, record)
        return changed


def _page(
    found: list[dict[str, Any]], call: Call, *, key: Callable[[dict[str, Any]], Key]
) -> tuple[list[dict[str, Any]], str | None]:
    return page(
        found,
        key=key,
        size=call.params.get("MaxItems", _PAGE),
        token=call.params.get("Marker"),
        invalid=_INVALID,
        name="Marker",
    )
