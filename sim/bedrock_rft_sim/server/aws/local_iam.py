"""IAM and STS: moto's, with the changes to IAM kept on disk and made again after a restart.

Roles and policies are only kept: nothing here is refused for want of a permission.
SimulatePrincipalPolicy, which moto lacks, says what they would allow.
Source: IAM API reference (query protocol).
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Final
from urllib.parse import parse_qs, urlencode
from xml.sax.saxutils import escape

from bedrock_rft_sim.files import append_line, dump, named_errors, read_json_lines
from bedrock_rft_sim.server.aws.bodies import StoredBody
from bedrock_rft_sim.server.aws.moto_app import (
    REFUSED,
    MotoApp,
    MotoRequest,
    MotoResponse,
    xml_error,
)
from bedrock_rft_sim.server.aws.principals import decision, has_role, policies_of
from bedrock_rft_sim.server.bedrock.names import ACCOUNT

CALLER: Final = f"arn:aws:sts::{ACCOUNT}:assumed-role/rft-local/session"
"""Who every client is, in a role that is there from the beginning and may do everything."""
_MOTOS_CALLER: Final = f"arn:aws:sts::{ACCOUNT}:user/moto".encode()
_CALLERS_ROLE: Final = (
    {
        "Action": "CreateRole",
        "RoleName": "rft-local",
        "AssumeRolePolicyDocument": '{"Version": "2012-10-17", "Statement": []}',
    },
    {
        "Action": "AttachRolePolicy",
        "RoleName": "rft-local",
        "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess",
    },
)
_READS = ("Get", "List", "Simulate", "Generate")
_FORM = {"content-type": "application/x-www-form-urlencoded"}


class LocalIam:
    """moto's IAM and STS behind one method."""

    def __init__(self, path: Path, moto: MotoApp, *, delay_s: float = 0.0) -> None:
        """Prepare; a role that is made now can be assumed `delay_s` later."""
        self._delay_s = delay_s
        self._made: dict[str, float] = {}
        self._path = path
        self._moto = moto
        self._lock = threading.RLock()
        self._is_loaded = False

    def call(self, service: str, request: MotoRequest) -> MotoResponse:
        """Answer one request, and keep on disk what it changed in IAM."""
        with self._lock:
            self._load()
            if service != "iam":
                answer = self._moto.call(service, request)
                return replace(answer, body=answer.body.replace(_MOTOS_CALLER, CALLER.encode()))
            text = _text(request.body)
            form = parse_qs(text)
            if form.get("Action") == ["SimulatePrincipalPolicy"]:
                return _simulated(form)
            answer = self._moto.call(service, request)
            if answer.status < REFUSED:
                action = form.get("Action", [""])[0]
                if action == "CreateRole":
                    self._made[form["RoleName"][0]] = time.monotonic()
                self._keep(text, action)
        return answer

    def why_not_assumed(self, arn: str) -> str | None:
        """Return why no service can assume a role; None where it can."""
        with self._lock:
            self._load()
            if not has_role(arn):
                return f"there is no role {arn} at the local endpoint; create it with CreateRole"
            made = self._made.get(arn.rpartition("/")[2])
        if made is not None and time.monotonic() < made + self._delay_s:
            return f"the role {arn} is new, and IAM takes {self._delay_s:g} s here; try again"
        return None

    def _keep(self, text: str, action: str) -> None:
        if action and not action.startswith(_READS) and "AccessKey" not in action:
            with named_errors(self._path, "keep what IAM was sent"):
                append_line(self._path, dump({"form": text}))

    def _load(self) -> None:
        if not self._is_loaded:
            for line in read_json_lines(self._path):
                form = str(line["form"]).encode()
                self._moto.call("iam", MotoRequest("POST", "/", headers=_FORM, body=form))
            for asked in _CALLERS_ROLE:
                body = urlencode(asked).encode()
                self._moto.call("iam", MotoRequest("POST", "/", headers=_FORM, body=body))
            self._is_loaded = True


def _text(body: IO[bytes] | bytes | StoredBody) -> str:
    if not isinstance(body, bytes | StoredBody):
        body.seek(0)
        body = body.read()
    return bytes(body).decode("utf-8", "replace")


def _simulated(form: Mapping[str, list[str]]) -> MotoResponse:
    source = form.get("PolicySourceArn", [""])[0]
    policies = policies_of(source)
    if policies is None:
        words = f"The user or role with ARN {source} cannot be found."
        return xml_error("iam", "NoSuchEntity", words, status=404)
    resources = _members(form, "ResourceArns") or ["*"]
    told = (
        {
            "EvalActionName": action,
            "EvalResourceName": resource,
            "EvalDecision": decision(policies, action, resource),
        }
        for action in _members(form, "ActionNames")
        for resource in resources
    )
    return _result("SimulatePrincipalPolicy", "EvaluationResults", told)


def _members(form: Mapping[str, list[str]], name: str) -> list[str]:
    """Return a list of the query protocol, in the order of its numbers."""
    start = f"{name}.member."
    numbers = [key.removeprefix(start) for key in form if key.startswith(start)]
    known = sorted((one for one in numbers if one.isascii() and one.isdecimal()), key=int)
    return [form[start + number][0] for number in known]


def _result(operation: str, name: str, members: Iterable[Mapping[str, str]]) -> MotoResponse:
    listed = "".join(
        f"<member>{''.join(f'<{key}>{escape(text)}</{key}>' for key, text in one.items())}</member>"
        for one in members
    )
    inside = f"<{name}>{listed}</{name}><IsTruncated>false</IsTruncated>"
    request = f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
    text = f"<{operation}Result>{inside}</{operation}Result>{request}"
    body = f"<{operation}Response>{text}</{operation}Response>".encode()
    return MotoResponse(200, (("Content-Type", "text/xml"),), body)
