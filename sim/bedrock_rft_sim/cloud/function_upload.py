"""The function: created or updated from the zip of `rft package`, and published as a version.

The version is what is sent, so that nobody edits the grader under a running job.
Variables that the recipe does not name stay as they are: they may be keys that somebody set by
hand; what they change shows in the proof.

Source: AWS Lambda API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bedrock_rft_sim.cloud.account import Aws, AwsRefusalError
from bedrock_rft_sim.cloud.prepared import Prepared
from bedrock_rft_sim.cloud.record import ASKED, MADE, CloudRecord
from bedrock_rft_sim.cloud.steps import PlannedStep
from bedrock_rft_sim.errors import CloudError

KIND: Final = "function"
_EXISTS: Final = "ResourceConflictException"
_POLL_S: Final = 1.0
_POLLS: Final = 300


def plan_function(aws: Aws, prepared: Prepared, *, role: str) -> PlannedStep:
    """Say what will become of the function; `role` is what a new one gets."""
    wanted, name, code = prepared.settings, prepared.function.name, prepared.archive
    found = aws.find("lambda", "GetFunctionConfiguration", **_named(prepared))
    qualifier = prepared.function.qualifier
    if qualifier is not None:
        blocker = None if found else f"the function {name} has no version or alias {qualifier}"
        words = f"{name}:{qualifier} is sent as it is, because the recipe names it"
        return PlannedStep(KIND, name, "keep", words, blocker)
    if found is None:
        words = (
            f"create {name} from {len(code.content):,} bytes (CodeSha256 {code.code_sha256}): "
            f"{wanted.runtime}, {wanted.handler}, {wanted.timeout_s} s, "
            f"{wanted.memory_mb} MB, role {role}; publish a version"
        )
        return PlannedStep(KIND, name, "create", words, warnings=_of_a_judge(prepared, role))
    changes = differences(found, prepared)
    if not changes:
        return PlannedStep(KIND, name, "keep", f"{name} is this reward; publish it as a version")
    words = f"update {name}: {'; '.join(changes.values())}; publish a version"
    return PlannedStep(KIND, name, "update", words)


def _of_a_judge(prepared: Prepared, role: str) -> tuple[str, ...]:
    if not prepared.calls_a_judge:
        return ()
    return (
        f"the reward looks as if it asked a model, and a new role {role} may not: add "
        "lambda-judge.json of `rft package --policies`, with the model's id",
    )


def make_function(aws: Aws, prepared: Prepared, record: CloudRecord, *, role: str) -> str:
    """Create or update the function, publish it and return the ARN of its version.

    Raises:
        CloudError: AWS refuses, or the function does not become ready.
    """
    named = _named(prepared)
    if prepared.function.qualifier is not None:
        return str(prepared.function)
    found = aws.find("lambda", "GetFunctionConfiguration", **named)
    if found is None:
        _create(aws, prepared, record, role=role)
    elif record.state(KIND, prepared.function.name) == ASKED:
        record.own(KIND, prepared.function.name, MADE)
    changes = differences(_ready(aws, named), prepared)
    if "code" in changes:
        aws.call("lambda", "UpdateFunctionCode", **named, ZipFile=prepared.archive.content)
        _ready(aws, named)
    if changes.keys() - {"code"}:
        environment = _environment(_ready(aws, named)) | dict(prepared.settings.environment)
        aws.call(
            "lambda",
            "UpdateFunctionConfiguration",
            **named,
            **_settings(prepared),
            Environment={"Variables": environment},
        )
        _ready(aws, named)
    published = aws.call(
        "lambda", "PublishVersion", **named, CodeSha256=prepared.archive.code_sha256
    )
    version = str(published["Version"])
    arn = f"{prepared.function}:{version}"
    _ready(aws, {**named, "Qualifier": version})
    return arn


def _create(aws: Aws, prepared: Prepared, record: CloudRecord, *, role: str) -> None:
    name = prepared.function.name
    record.own(KIND, name)
    environment = dict(prepared.settings.environment)
    try:
        aws.patiently(
            "lambda",
            "CreateFunction",
            until=_may_not_be_assumed_yet,
            FunctionName=name,
            Role=role,
            Code={"ZipFile": prepared.archive.content},
            **_settings(prepared),
            **({"Environment": {"Variables": environment}} if environment else {}),
        )
    except AwsRefusalError as error:
        if error.code != _EXISTS:
            raise
        # An answer that was lost made it; anybody else's holds other code.
        found = aws.call("lambda", "GetFunctionConfiguration", **_named(prepared))
        if found["CodeSha256"] != prepared.archive.code_sha256:
            record.disown(KIND, name)
            raise
    record.own(KIND, name, MADE)


def _may_not_be_assumed_yet(error: AwsRefusalError) -> bool:
    is_role = "role" in (error.found or "").lower()
    return error.code == "InvalidParameterValueException" and is_role


def _named(prepared: Prepared) -> dict[str, Any]:
    name, qualifier = prepared.function.name, prepared.function.qualifier
    return {"FunctionName": name} | ({} if qualifier is None else {"Qualifier": qualifier})


def _settings(prepared: Prepared) -> dict[str, Any]:
    wanted = prepared.settings
    return {
        "Runtime": wanted.runtime,
        "Handler": wanted.handler,
        "Timeout": wanted.timeout_s,
        "MemorySize": wanted.memory_mb,
    }


def _environment(found: Mapping[str, Any]) -> dict[str, str]:
    return dict((found.get("Environment") or {}).get("Variables") or {})


def differences(found: Mapping[str, Any], prepared: Prepared) -> dict[str, str]:
    """Return in words how a function differs from what is wanted; variables by their names."""
    changes = {
        key: f"{key} {found.get(key)} becomes {value}"
        for key, value in _settings(prepared).items()
        if found.get(key) != value
    }
    there = _environment(found)
    changed = [k for k, v in prepared.settings.environment.items() if there.get(k) != v]
    if changed:
        changes["Environment"] = f"the variables {', '.join(changed)} are set"
    if found.get("CodeSha256") != prepared.archive.code_sha256:
        changes = {"code": f"its code becomes CodeSha256 {prepared.archive.code_sha256}", **changes}
    return changes


def _ready(aws: Aws, named: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration once the function can be invoked and changed."""
    for _ in range(_POLLS):
        found = aws.call("lambda", "GetFunctionConfiguration", **named)
        states = (found.get("State", "Active"), found.get("LastUpdateStatus", "Successful"))
        if "Failed" in states:
            break
        if states == ("Active", "Successful"):
            return found
        aws.sleep(_POLL_S)
    reason = found.get("StateReason") or found.get("LastUpdateStatusReason") or "no reason given"
    raise CloudError(
        "the function does not become ready",
        where=named["FunctionName"],
        expected="Active and Successful",
        found=aws.clean(f"{' and '.join(states)}: {reason}"),
        hint="look at it in the Lambda console; the same command again goes on from here",
    )
