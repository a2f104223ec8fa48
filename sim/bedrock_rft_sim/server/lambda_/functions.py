"""Create, read, change, list and delete functions.

Kept and returned but without effect: role, VPC, tracing, architecture, storage; runtimes
other than Python are refused, and Python's own version is the one the endpoint runs on.
Sources: AWS Lambda API reference; quotas of the developer guide.
"""

from __future__ import annotations

import json
import platform
import time
from typing import Any, Final

from bedrock_rft_sim.contract.lambda_variables import fault_of_variables
from bedrock_rft_sim.contract.limits import LAMBDA_MEMORY_MB_MIN, LAMBDA_TIMEOUT_S_DEFAULT
from bedrock_rft_sim.server.errors import AwsError, invalid_parameter
from bedrock_rft_sim.server.lambda_.code import code_from
from bedrock_rft_sim.server.lambda_.references import FunctionId, find_function, new_function
from bedrock_rft_sim.server.lambda_.store import LATEST, Resolved, now, revision
from bedrock_rft_sim.server.pages import lambda_page
from bedrock_rft_sim.server.rest import Call
from bedrock_rft_sim.server.state import ServerState

_SETTINGS: Final = (
    "Role",
    "Handler",
    "Runtime",
    "Description",
    "Timeout",
    "MemorySize",
    "Environment",
    "Architectures",
    "EphemeralStorage",
    "TracingConfig",
    "DeadLetterConfig",
    "KMSKeyArn",
    "LoggingConfig",
    "VpcConfig",
)
_INNER: Final = ("codeFolder", "layerFolders")
"""Of a configuration, what no client sees."""
_PENDING: Final = {
    "State": "Pending",
    "StateReason": "The function is being created.",
    "StateReasonCode": "Creating",
}


class FunctionOperations:
    """The operations on functions."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._store = state.functions

    def create(self, call: Call) -> dict[str, Any]:
        """CreateFunction."""
        params = call.params
        function = new_function(params["FunctionName"], region=call.region)
        self._store.refuse_known(function)
        if params.get("PackageType", "Zip") != "Zip":
            raise invalid_parameter("container images are not simulated; give a zip")
        if not str(params.get("Handler", "")) or not str(params.get("Runtime", "")):
            raise invalid_parameter("Runtime and Handler are mandatory parameters for functions")
        self._refuse_missing_role(params)
        values = {**self._settings(call), **self._code(params["Code"])}
        record = _new_record(function, values, tags=params.get("Tags", {}))
        record["pendingUntil"] = time.time() + self._state.pending_s
        version = publish(record, description=None) if params.get("Publish") else None
        self._store.add(function, record)
        return self._configuration(function, version)

    def get(self, call: Call) -> dict[str, Any]:
        """GetFunction; the code is not offered for download."""
        found = self._found(call)
        location = {"RepositoryType": "S3", "Location": found.deployed.code.as_uri()}
        tags = self._store.record(found.id)["tags"] or None
        return {"Configuration": configuration(found), "Code": location, "Tags": tags}

    def get_configuration(self, call: Call) -> dict[str, Any]:
        """GetFunctionConfiguration."""
        return configuration(self._found(call))

    def update_code(self, call: Call) -> dict[str, Any]:
        """UpdateFunctionCode."""
        params = call.params
        function = self._changeable(call)
        _check_revision(self._store.record(function), params)
        code = self._code(params)
        if params.get("DryRun"):
            return self._configuration(function, None)
        with self._store.change(function) as record:
            _check_revision(record, params)
            self._change(record, code)
            version = publish(record, description=None) if params.get("Publish") else None
        return self._configuration(function, version)

    def update_configuration(self, call: Call) -> dict[str, Any]:
        """UpdateFunctionConfiguration."""
        function = self._changeable(call)
        self._refuse_missing_role(call.params)
        settings = self._settings(call)
        with self._store.change(function) as record:
            _check_revision(record, call.params)
            self._change(record, settings)
        return self._configuration(function, None)

    def list(self, call: Call) -> dict[str, Any]:
        """ListFunctions, of the call's Region."""
        found: list[dict[str, Any]] = []
        for function in self._store.ids(call.region):
            versions = self._store.record(function)["versions"]
            wanted = versions if call.params.get("FunctionVersion") == "ALL" else (None,)
            found += [self._configuration(function, version) for version in wanted]
        return lambda_page(
            "Functions",
            found,
            call.params,
            key=lambda one: (one["FunctionName"], version_number(one), one["FunctionArn"]),
        )

    def delete(self, call: Call) -> dict[str, Any]:
        """DeleteFunction, or one version of it."""
        function, own = find_function(call.params["FunctionName"], region=call.region)
        version = call.params.get("Qualifier") or own
        if version is None:
            self._store.remove(function)
            return {}
        with self._store.change(function) as record:
            if version == LATEST or version in record["aliases"]:
                raise invalid_parameter("$LATEST version cannot be deleted without the function")
            if any(alias["FunctionVersion"] == version for alias in record["aliases"].values()):
                raise AwsError("ResourceConflictException", f"an alias points to version {version}")
            record["versions"].pop(version, None)
        return {}

    def list_tags(self, call: Call) -> dict[str, Any]:
        """ListTags."""
        return {"Tags": self._store.record(_tagged(call))["tags"]}

    def tag(self, call: Call) -> dict[str, Any]:
        """TagResource."""
        with self._store.change(_tagged(call)) as record:
            record["tags"] |= call.params["Tags"]
        return {}

    def untag(self, call: Call) -> dict[str, Any]:
        """UntagResource."""
        with self._store.change(_tagged(call)) as record:
            for key in call.params["TagKeys"]:
                record["tags"].pop(key, None)
        return {}

    def add_permission(self, call: Call) -> dict[str, Any]:
        """AddPermission: accepted, since nothing here is refused for want of a permission."""
        found = self._store.resolve(call.params["FunctionName"], region=call.region)
        principal = call.params["Principal"]
        is_service = principal.endswith(".amazonaws.com")
        statement = {
            "Sid": call.params["StatementId"],
            "Effect": "Allow",
            "Principal": {"Service": principal} if is_service else {"AWS": principal},
            "Action": call.params["Action"],
            "Resource": found.deployed.arn,
        }
        return {"Statement": json.dumps(statement)}

    def _refuse_missing_role(self, params: dict[str, Any]) -> None:
        why = self._state.iam.why_not_assumed(params["Role"]) if "Role" in params else None
        if why is not None:
            words = "The role defined for the function cannot be assumed by Lambda."
            raise invalid_parameter(f"{words} ({why})")

    def _found(self, call: Call) -> Resolved:
        params = call.params
        return self._store.resolve(
            params["FunctionName"], params.get("Qualifier"), region=call.region
        )

    def _changeable(self, call: Call) -> FunctionId:
        found = self._store.resolve(call.params["FunctionName"], region=call.region)
        found.refuse_busy()
        return found.id

    def _change(self, record: dict[str, Any], values: dict[str, Any]) -> None:
        latest = {**record["versions"][LATEST], **values}
        record["versions"][LATEST] = latest | {"LastModified": now(), "RevisionId": revision()}
        record["updatingUntil"] = time.time() + self._state.pending_s

    def _configuration(self, function: FunctionId, version: str | None) -> dict[str, Any]:
        return configuration(self._store.resolve(function.arn, version))

    def _code(self, code: dict[str, Any]) -> dict[str, Any]:
        return code_from(code, self._store.code, self._state.s3)

    def _settings(self, call: Call) -> dict[str, Any]:
        """Return what a request says about how the function runs, its layers resolved."""
        params = call.params
        found: dict[str, Any] = {name: params[name] for name in _SETTINGS if name in params}
        runtime = str(found.get("Runtime", "python"))
        if not runtime.startswith("python"):
            raise invalid_parameter(f"the runtime {runtime} is not simulated; only Python is")
        fault = fault_of_variables(found.get("Environment", {}).get("Variables", {}))
        if fault is not None:
            raise invalid_parameter(
                "Lambda was unable to configure your environment variables because "
                f"{fault.what}: {fault.found}; expected {fault.expected}"
            )
        if "Layers" in params:
            found |= self._state.layers.resolved(params["Layers"], region=call.region)
        return found


def _tagged(call: Call) -> FunctionId:
    function, _ = find_function(call.params["Resource"], region=call.region)
    return function


def _new_record(
    function: FunctionId, values: dict[str, Any], *, tags: dict[str, str]
) -> dict[str, Any]:
    base = {"Timeout": LAMBDA_TIMEOUT_S_DEFAULT, "MemorySize": LAMBDA_MEMORY_MB_MIN}
    latest = {**base, "Description": "", **values}
    latest |= {"LastModified": now(), "RevisionId": revision(), "Version": LATEST}
    return {
        "arn": function.arn,
        "versions": {LATEST: latest},
        "aliases": {},
        "next": 1,
        "tags": tags,
    }


def publish(record: dict[str, Any], *, description: str | None) -> str:
    """Make a version of what is $LATEST now; the same code and settings again make none."""
    latest = record["versions"][LATEST]
    newest = str(record["next"] - 1)
    moving = ("Version", "RevisionId", "LastModified", "Description")
    known = record["versions"].get(newest)
    if known and all(known.get(k) == v for k, v in latest.items() if k not in moving):
        return newest
    number = str(record["next"])
    own = {} if description is None else {"Description": description}
    record["versions"][number] = {**latest, **own, "Version": number, "RevisionId": revision()}
    record["next"] += 1
    return number


def configuration(found: Resolved) -> dict[str, Any]:
    """Return a FunctionConfiguration."""
    own = {name: value for name, value in found.configuration.items() if name not in _INNER}
    environment = own.pop("Environment", None)
    return {
        "FunctionName": found.id.name,
        "FunctionArn": found.deployed.arn,
        **own,
        "Environment": environment,
        "PackageType": "Zip",
        "Architectures": own.get("Architectures", [_architecture()]),
        "EphemeralStorage": own.get("EphemeralStorage", {"Size": 512}),
        "TracingConfig": own.get("TracingConfig", {"Mode": "PassThrough"}),
        **(_PENDING if found.is_pending else {"State": "Active"}),
        "LastUpdateStatus": "InProgress" if found.is_updating else "Successful",
    }


def version_number(one: dict[str, Any]) -> int:
    """Return the number that versions are listed by; $LATEST comes first."""
    return 0 if one["Version"] == LATEST else int(one["Version"])


def _check_revision(record: dict[str, Any], params: dict[str, Any]) -> None:
    expected = params.get("RevisionId")
    if expected is not None and expected != record["versions"][LATEST]["RevisionId"]:
        raise AwsError(
            "PreconditionFailedException", "The RevisionId provided does not match the latest one"
        )


def _architecture() -> str:
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
