"""The operations of AWS Lambda that are simulated, by their AWS names.

Sources: botocore service model lambda/2015-03-31; AWS Lambda API reference.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sim.server.lambda_.functions import FunctionOperations
from sim.server.lambda_.invoke import InvokeOperation
from sim.server.lambda_.versions import VersionOperations
from sim.server.rest import Call, Handler, Reply, Told

if TYPE_CHECKING:
    from sim.server.state import ServerState


def lambda_operations(state: ServerState) -> Mapping[str, Handler]:
    """Return the handlers by operation."""
    functions = FunctionOperations(state)
    versions = VersionOperations(state)
    lock = threading.Lock()
    handlers = _on_functions(functions) | _on_versions(versions)
    return {
        **{name: _one_at_a_time(handler, lock) for name, handler in handlers.items()},
        "Invoke": InvokeOperation(state).invoke,
    }


def _one_at_a_time(handler: Handler, lock: threading.Lock) -> Handler:
    """Read, change and keep a function without another doing so in between."""

    def locked(call: Call) -> dict[str, Any] | Told | Reply:
        with lock:
            return handler(call)

    return locked


def _on_functions(functions: FunctionOperations) -> dict[str, Handler]:
    return {
        "CreateFunction": functions.create,
        "GetFunction": functions.get,
        "GetFunctionConfiguration": functions.get_configuration,
        "UpdateFunctionCode": functions.update_code,
        "UpdateFunctionConfiguration": functions.update_configuration,
        "ListFunctions": functions.list,
        "DeleteFunction": functions.delete,
        "ListTags": functions.list_tags,
        "TagResource": functions.tag,
        "UntagResource": functions.untag,
        "AddPermission": functions.add_permission,
    }


def _on_versions(versions: VersionOperations) -> dict[str, Handler]:
    return {
        "PublishVersion": versions.publish,
        "ListVersionsByFunction": versions.list,
        "CreateAlias": versions.create_alias,
        "GetAlias": versions.get_alias,
        "UpdateAlias": versions.update_alias,
        "DeleteAlias": versions.delete_alias,
        "ListAliases": versions.list_aliases,
    }
