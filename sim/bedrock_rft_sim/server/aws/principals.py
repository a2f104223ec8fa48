"""Roles and users of moto's IAM: whether there are any of an ARN, and what their policies allow.

Conditions count as not met: no context is given here.
Sources: IAM user guide, policy evaluation logic; IAM API reference, SimulatePrincipalPolicy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from bedrock_rft_sim.server.bedrock.names import ACCOUNT

Decision = Literal["allowed", "explicitDeny", "implicitDeny"]
_SESSION: Final = re.compile(r"arn:(aws[a-z-]*):sts::(\d{12}):assumed-role/([^/]+)/.+")
_ROOT: Final = re.compile(rf"arn:aws[a-z-]*:iam::{ACCOUNT}:root")


def has_role(arn: str) -> bool:
    """Whether there is a role of this ARN."""
    return any(role.arn == arn for role in _backend().get_roles())


def policies_of(arn: str) -> list[Mapping[str, Any]] | None:
    """Return the documents of a principal's policies; None where nobody has this ARN."""
    if _ROOT.fullmatch(arn):
        return [{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}]
    backend, session = _backend(), _SESSION.fullmatch(arn)
    found = [
        one
        for one in (*backend.get_roles(), *backend.users.values())
        if one.arn == arn or (session is not None and one.arn.endswith(f"/{session[3]}"))
    ]
    if not found:
        return None
    inline = found[0].policies
    texts = list(inline.values() if isinstance(inline, dict) else ())
    for managed in found[0].managed_policies.values():
        texts += [version.document for version in managed.versions if version.is_default]
    return [json.loads(text) if isinstance(text, str) else text for text in texts]


def decision(policies: Sequence[Mapping[str, Any]], action: str, resource: str) -> Decision:
    """Return what the policies say of one action on one resource."""
    effects = {
        statement["Effect"]
        for policy in policies
        for statement in _listed(policy.get("Statement", []))
        if _applies(statement, action, resource)
    }
    if "Deny" in effects:
        return "explicitDeny"
    return "allowed" if "Allow" in effects else "implicitDeny"


def _applies(statement: Mapping[str, Any], action: str, resource: str) -> bool:
    if statement.get("Condition"):
        return False
    for name, value in (("Action", action.lower()), ("Resource", resource)):
        is_named = name in statement
        patterns = _listed(statement.get(name if is_named else f"Not{name}", []))
        if name == "Action":
            patterns = [pattern.lower() for pattern in patterns]
        if any(_matches(pattern, value) for pattern in patterns) is not is_named:
            return False
    return True


def _matches(pattern: str, value: str) -> bool:
    text = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(text, value, re.DOTALL) is not None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _backend() -> Any:
    from moto.iam.models import iam_backends

    return iam_backends[ACCOUNT]["aws"]
