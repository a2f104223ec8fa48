"""The operations of AWS Lambda that are simulated, by their AWS names.

Sources: botocore service model lambda/2015-03-31; AWS Lambda API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.server.lambda_.functions import FunctionOperations
from bedrock_rft_sim.server.lambda_.invoke import InvokeOperation
from bedrock_rft_sim.server.lambda_.versions import VersionOperations
from bedrock_rft_sim.server.rest import Call, Handler, Reply, Told

if TYPE_CHECKING:
    from bedrock_rft_sim.server.state import ServerState


def lambda_operations(state: ServerState) -> Mapping[str, Handler]:
    """Return the handlers by operation."""
    functions, versions = FunctionOperations(state), VersionOperations(state)
    changing = _changing_functions(functions) | _changing_versions(versions)
    return {
        **_reading(functions, versions),
        **{name: _alone(handler, state) for name, handler in changing.items()},
        # These two unpack a zip first, and lock for the rest themselves.
        "CreateFunction": functions.create,
        "UpdateFunctionCode": functions.update_code,
        "Invoke": InvokeOperation(state).invoke,
    }


def _alone(handler: Handler, state: ServerState) -> Handler:
    """Read, change and keep a function without another doing so in between."""

    def locked(call: Call) -> dict[str, Any] | Told | Reply:
        with state.functions.changing:
            return handler(call)

    return locked


def _reading(functions: FunctionOperations, versions: VersionOperations) -> dict[str, Handler]:
    return {
        "GetFunction": functions.get,
        "GetFunctionConfiguration": functions.get_configuration,
        "ListFunctions": functions.list,
        "ListTags": functions.list_tags,
        "AddPermission": functions.add_permission,
        "ListVersionsByFunction": versions.list,
        "GetAlias": versions.get_alias,
        "ListAliases": versions.list_aliases,
    }


def _changing_functions(functions: FunctionOperations) -> dict[str, Handler]:
    return {
        "UpdateFunctionConfiguration": functions.update_configuration,
        "DeleteFunction": functions.delete,
        "TagResource": functions.tag,
        "UntagResource": functions.untag,
    }


def _changing_versions(versions: VersionOperations) -> dict[str, Handler]:
    return {
        "PublishVersion": versions.publish,
        "CreateAlias": versions.create_alias,
        "UpdateAlias": versions.update_alias,
        "DeleteAlias": versions.delete_alias,
    }
