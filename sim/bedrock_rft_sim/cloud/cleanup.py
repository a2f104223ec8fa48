"""Take away what was made for a job, in reverse order, and nothing else.

What is gone already is fine. What stays, because it is kept or was not made here, is named, and
what of it still costs money.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from bedrock_rft_sim.cloud.account import Aws
from bedrock_rft_sim.cloud.bucket import HASH
from bedrock_rft_sim.cloud.bucket import KIND as OBJECT
from bedrock_rft_sim.cloud.deploy import KIND as DEPLOYMENT
from bedrock_rft_sim.cloud.fine_tuning import FILE, find_file
from bedrock_rft_sim.cloud.function_upload import KIND as FUNCTION
from bedrock_rft_sim.cloud.mantle import Mantle
from bedrock_rft_sim.cloud.names import object_name
from bedrock_rft_sim.cloud.pull_fine_tuning import STATUSES, retrieve
from bedrock_rft_sim.cloud.record import CloudRecord
from bedrock_rft_sim.cloud.role import KIND as ROLE
from bedrock_rft_sim.cloud.role import POLICY_NAME
from bedrock_rft_sim.contract.prices import PRICES
from bedrock_rft_sim.contract.statuses import IN_PROGRESS, STOPPING
from bedrock_rft_sim.errors import CloudError

MODEL: Final = "model"
KINDS: Final = (DEPLOYMENT, MODEL, OBJECT, FILE, FUNCTION, ROLE)
_GONE_POLLS: Final = 120
_POLL_S: Final = 5.0
COSTS: Final[Mapping[str, str]] = {
    MODEL: f"its storage costs ${PRICES['model-storage'].usd:.2f} a month",
    OBJECT: "its storage costs what S3 asks for its size",
    DEPLOYMENT: "asking it costs what its tokens cost",
}
"""What still costs money where it stays."""

Thing = tuple[str, str]
"""Kind and name."""


def what_is_ours(aws: Aws, record: CloudRecord, mantle: Mantle | None = None) -> list[Thing]:
    """Return what was made for a job, the last first; the job's model is ours as the job is.

    Raises:
        CloudError: the job goes on.
    """
    job = record.get("job")
    things = [(each["kind"], each["name"]) for each in reversed(record.owned())]
    if job is None or job["token"] is None:
        return things
    if mantle is not None:
        _refuse_while_training(mantle, job)
        return things
    identifier = job["arn"] or job["name"]
    found = aws.find("bedrock", "GetModelCustomizationJob", jobIdentifier=identifier)
    if found is not None and found["status"] in (IN_PROGRESS, STOPPING):
        raise CloudError(
            "the job goes on",
            where=str(found["jobArn"]),
            found=str(found["status"]),
            hint="wait for its end, or stop it with rft stop; until then it needs what was made",
        )
    model = None
    if found is not None and found.get("clientRequestToken") == job["token"]:
        model = found.get("outputModelArn")
    if model == record.get("deleted_model"):
        model = None
    deployments = [each for each in things if each[0] == DEPLOYMENT]
    others = [each for each in things if each[0] != DEPLOYMENT]
    return [*deployments, *([(MODEL, str(model))] if model is not None else []), *others]


def _refuse_while_training(mantle: Mantle, job: Mapping[str, Any]) -> None:
    if job["arn"] is not None and STATUSES.get(retrieve(mantle, job["arn"])["status"]) is None:
        raise CloudError("the job goes on", where=str(job["arn"]), hint="stop it with rft stop")


def clean(
    aws: Aws,
    things: list[Thing],
    record: CloudRecord,
    *,
    keep: Collection[str] = (),
    mantle: Mantle | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Thing]:
    """Delete things, except those of kinds to keep; return what stays.

    Raises:
        CloudError: AWS refuses; what was deleted before is noted.
    """
    stays = []
    for kind, name in things:
        if kind in keep:
            stays.append((kind, name))
            continue
        if kind == FILE and mantle is not None:
            _delete_file(mantle, name)
        elif not _DELETERS[kind](aws, name, record):
            stays.append((kind, name))
            say(f"{kind} {name} stays: somebody else wrote it since")
            continue
        record.disown(kind, name)
        say(f"{kind} {name} is deleted")
    return stays


def _delete_deployment(aws: Aws, name: str, record: CloudRecord) -> bool:
    named = {"customModelDeploymentIdentifier": name}
    aws.find("bedrock", "DeleteCustomModelDeployment", **named)
    for _ in range(_GONE_POLLS):
        if aws.find("bedrock", "GetCustomModelDeployment", **named) is None:
            break
        aws.sleep(_POLL_S)
    # Another deployment of this name is another one, for which a token of its own is needed.
    record.set(deployed=int(record.get("deployed") or 0) + 1)
    return True


def _delete_file(mantle: Mantle, name: str) -> None:
    known = find_file(mantle, name)
    if known is not None:
        mantle.call("files.delete", lambda client: client.files.delete(known))


def _delete_model(aws: Aws, arn: str, record: CloudRecord) -> bool:
    aws.find("bedrock", "DeleteCustomModel", modelIdentifier=arn)
    record.set(deleted_model=arn)  # the job goes on naming it
    return True


def _delete_function(aws: Aws, name: str, _record: CloudRecord) -> bool:
    aws.find("lambda", "DeleteFunction", FunctionName=name)
    return True


def _delete_role(aws: Aws, name: str, _record: CloudRecord) -> bool:
    aws.find("iam", "DeleteRolePolicy", RoleName=name, PolicyName=POLICY_NAME)
    aws.find("iam", "DeleteRole", RoleName=name)
    return True


def _delete_object(aws: Aws, name: str, record: CloudRecord) -> bool:
    place = object_name(name)
    named: dict[str, Any] = {"Bucket": place.bucket, "Key": place.key}
    found = aws.find("s3", "HeadObject", **named)
    if found is None:
        return True
    if (found.get("Metadata") or {}).get(HASH) not in (record.get("data") or {}).values():
        return False
    aws.call("s3", "DeleteObject", **named)
    return True


_DELETERS: Final[Mapping[str, Callable[[Aws, str, CloudRecord], bool]]] = {
    DEPLOYMENT: _delete_deployment,
    MODEL: _delete_model,
    FUNCTION: _delete_function,
    ROLE: _delete_role,
    OBJECT: _delete_object,
}
"""Each returns False where the thing is no longer what was made here."""
