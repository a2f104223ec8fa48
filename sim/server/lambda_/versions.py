"""Versions and aliases.

Weighted routing between two versions is refused: an alias here points to one.
Sources: AWS Lambda API reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.server.errors import AwsError
from sim.server.lambda_.functions import configuration, publish
from sim.server.lambda_.store import LATEST, revision, split_reference
from sim.server.pages import page
from sim.server.rest import Call

if TYPE_CHECKING:
    from sim.server.state import ServerState

_PAGE: Final = 50
_INVALID: Final = "InvalidParameterValueException"


class VersionOperations:
    """The operations on versions and aliases."""

    def __init__(self, state: ServerState) -> None:
        self._store = state.functions

    def publish(self, call: Call) -> dict[str, Any]:
        """PublishVersion."""
        name, record = self._record(call)
        asked = call.params.get("CodeSha256")
        if asked is not None and asked != record["versions"][LATEST]["CodeSha256"]:
            raise AwsError(_INVALID, "CodeSHA256 does not match that of $LATEST")
        version = publish(record, description=call.params.get("Description"))
        self._store.save(name, record)
        return configuration(self._store.resolve(name, version))

    def list(self, call: Call) -> dict[str, Any]:
        """ListVersionsByFunction."""
        name, record = self._record(call)
        found = [
            configuration(self._store.resolve(name, version)) for version in record["versions"]
        ]
        shown, following = _page(found, call, key="Version")
        return {"Versions": shown, "NextMarker": following}

    def create_alias(self, call: Call) -> dict[str, Any]:
        """CreateAlias."""
        name, record = self._record(call)
        alias = call.params["Name"]
        if alias in record["aliases"]:
            raise AwsError("ResourceConflictException", f"Alias already exists: {alias}")
        return self._set(name, record, alias, {"Description": ""}, call)

    def update_alias(self, call: Call) -> dict[str, Any]:
        """UpdateAlias."""
        name, record = self._record(call)
        alias = call.params["Name"]
        return self._set(name, record, alias, self._alias(record, alias), call)

    def get_alias(self, call: Call) -> dict[str, Any]:
        """GetAlias."""
        _, record = self._record(call)
        return self._alias(record, call.params["Name"])

    def delete_alias(self, call: Call) -> dict[str, Any]:
        """DeleteAlias."""
        name, record = self._record(call)
        if record["aliases"].pop(call.params["Name"], None) is not None:
            self._store.save(name, record)
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
        shown, following = _page(found, call, key="Name")
        return {"Aliases": shown, "NextMarker": following}

    def _record(self, call: Call) -> tuple[str, dict[str, Any]]:
        name, _ = split_reference(call.params["FunctionName"])
        return name, self._store.record(name)

    def _alias(self, record: dict[str, Any], alias: str) -> dict[str, Any]:
        found: dict[str, Any] | None = record["aliases"].get(alias)
        if found is None:
            words = f"Cannot find alias arn: {record['arn']}:{alias}"
            raise AwsError("ResourceNotFoundException", words)
        return found

    def _set(
        self, name: str, record: dict[str, Any], alias: str, known: dict[str, Any], call: Call
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
        self._store.save(name, record)
        return changed


def _page(
    found: list[dict[str, Any]], call: Call, *, key: str
) -> tuple[list[dict[str, Any]], str | None]:
    return page(
        found,
        key=lambda one: str(one[key]),
        size=call.params.get("MaxItems", _PAGE),
        token=call.params.get("Marker"),
        invalid=_INVALID,
        name="Marker",
    )
