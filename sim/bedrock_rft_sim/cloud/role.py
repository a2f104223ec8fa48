"""Roles: created with the policies of `rft package`, or compared and never edited.

Compared are the trust policy, and by IAM's own simulation what the role may do; bucket policies,
keys and boundaries are not, so a refusal of the simulation is a warning.

Source: IAM API reference (SimulatePrincipalPolicy).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bedrock_rft_sim.cloud.account import DENIED, Aws, AwsRefusalError
from bedrock_rft_sim.cloud.function import NAME_MAX
from bedrock_rft_sim.cloud.names import RoleArn
from bedrock_rft_sim.cloud.policies import policies
from bedrock_rft_sim.cloud.prepared import Prepared
from bedrock_rft_sim.cloud.record import ASKED, MADE, CloudRecord
from bedrock_rft_sim.cloud.steps import PlannedStep
from bedrock_rft_sim.errors import CloudError

KIND: Final = "role"
POLICY_NAME: Final = "bedrock-rft"
_EXISTS: Final = "EntityAlreadyExists"


@dataclass(frozen=True)
class RoleWanted:
    """A role as the submission needs it."""

    arn: RoleArn
    service: str
    """Who takes it on."""
    trust: dict[str, Any]
    permissions: dict[str, Any]
    needs: tuple[tuple[str, str], ...] = ()
    """Actions and resources that are simulated where the role is there."""


def service_role(prepared: Prepared) -> RoleWanted:
    """Return the role that Bedrock takes on."""
    assert prepared.role is not None, "a request for Nova"
    assert prepared.output is not None, "a request for Nova"
    documents = _documents(prepared)
    permissions = documents["nova-service"]
    buckets = dict.fromkeys(each.place.bucket for each in prepared.objects)
    for statement in permissions["Statement"]:
        if "s3:ListBucket" in statement["Action"]:
            statement["Resource"] = [
                name for one in buckets for name in (f"arn:aws:s3:::{one}", f"arn:aws:s3:::{one}/*")
            ]
    reads = tuple(("s3:GetObject", f"arn:aws:s3:::{o.place.bucket}/{o.place.key}")
                  for o in prepared.objects)  # fmt: skip
    writes = f"arn:aws:s3:::{prepared.output.bucket}/{prepared.output.key}"
    return RoleWanted(
        prepared.role,
        "bedrock.amazonaws.com",
        documents["nova-service-trust"],
        permissions,
        (("lambda:InvokeFunction", str(prepared.function)), *reads, ("s3:PutObject", writes)),
    )


def execution_role(prepared: Prepared, name: str | None) -> RoleWanted:
    """Return the role of a new function; its name is the function's unless given."""
    documents = _documents(prepared)
    chosen = name or f"{prepared.function.name}-execution"[:NAME_MAX]
    return RoleWanted(
        RoleArn(prepared.function.account, "/", chosen),
        "lambda.amazonaws.com",
        documents["lambda-trust"],
        documents["lambda-execution"],
    )


def _documents(prepared: Prepared) -> dict[str, Any]:
    """Return the policies by name, with what this submission names in the place of capitals."""
    known = {"ACCOUNT_ID": prepared.function.account, "REGION": prepared.function.region}
    if prepared.output is not None:
        known["OUTPUT_BUCKET"] = prepared.output.bucket
    documents = {}
    for policy in policies(prepared.settings, calls_a_judge=False):
        text = json.dumps(policy.document)
        for placeholder, value in known.items():
            text = text.replace(placeholder, value)
        documents[policy.name] = json.loads(text)
    return documents


def plan_role(aws: Aws, wanted: RoleWanted, record: CloudRecord, *, create: bool) -> PlannedStep:
    """Say what will become of a role."""
    name = wanted.arn.name
    found = aws.find("iam", "GetRole", RoleName=name)
    is_begun = record.state(KIND, name) == ASKED
    if found is None or is_begun:
        words = f"create {name} for {wanted.service}, with the policy {POLICY_NAME}"
        missing = f"there is no role {name}; --create-role makes it"
        blocker = None if create or is_begun else missing
        return PlannedStep(KIND, name, "create", words, blocker)
    blocker = None
    if not _trusts(found["Role"].get("AssumeRolePolicyDocument"), wanted.service):
        blocker = (
            f"the role {name} does not let {wanted.service} take it on; add that to its trust "
            "policy (an existing role is never edited here)"
        )
    warnings = tuple(_denied(aws, str(found["Role"]["Arn"]), wanted))
    return PlannedStep(KIND, name, "keep", f"{name} is there", blocker, warnings)


def make_role(aws: Aws, wanted: RoleWanted, record: CloudRecord) -> str:
    """Create a role unless it is there; return its ARN."""
    name = wanted.arn.name
    found = aws.find("iam", "GetRole", RoleName=name)
    if found is not None and record.state(KIND, name) != ASKED:
        return str(found["Role"]["Arn"])
    record.own(KIND, name)
    try:
        found = found or aws.call(
            "iam",
            "CreateRole",
            RoleName=name,
            Path=wanted.arn.path,
            AssumeRolePolicyDocument=json.dumps(wanted.trust),
        )
    except AwsRefusalError as error:
        if error.code != _EXISTS:
            raise
        found = _adopted(aws, wanted, record)
    aws.call(
        "iam",
        "PutRolePolicy",
        RoleName=name,
        PolicyName=POLICY_NAME,
        PolicyDocument=json.dumps(wanted.permissions),
    )
    record.own(KIND, name, MADE)
    return str(found["Role"]["Arn"])


def _adopted(aws: Aws, wanted: RoleWanted, record: CloudRecord) -> dict[str, Any]:
    """Return the role that a call made whose answer was lost; anybody else's is not ours."""
    found = aws.call("iam", "GetRole", RoleName=wanted.arn.name)
    if found["Role"].get("AssumeRolePolicyDocument") == wanted.trust:
        return found
    record.disown(KIND, wanted.arn.name)
    raise CloudError(
        "somebody else made a role of this name just now",
        where=wanted.arn.name,
        hint="the same command again compares it",
    )


def _trusts(document: object, service: str) -> bool:
    statements = document.get("Statement", []) if isinstance(document, Mapping) else []
    for each in [statements] if isinstance(statements, Mapping) else statements:
        principal = each.get("Principal", {})
        named = principal.get("Service", []) if isinstance(principal, Mapping) else []
        services = [named] if isinstance(named, str) else named
        actions = each.get("Action", [])
        may = "sts:AssumeRole" in ([actions] if isinstance(actions, str) else actions)
        if each.get("Effect") == "Allow" and service in services and may:
            return True
    return False


def _denied(aws: Aws, arn: str, wanted: RoleWanted) -> Iterator[str]:
    """Yield what IAM's simulation denies the role."""
    for action, resource in wanted.needs:
        try:
            answer = aws.call(
                "iam",
                "SimulatePrincipalPolicy",
                PolicySourceArn=arn,
                ActionNames=[action],
                ResourceArns=[resource],
            )
        except AwsRefusalError as error:
            if error.code not in DENIED:
                raise
            yield f"what the role {wanted.arn.name} may do was not compared: {error.what}"
            return
        if any(each["EvalDecision"] != "allowed" for each in answer["EvaluationResults"]):
            yield f"the role {wanted.arn.name} may not {action} on {resource}, as IAM simulates it"
