"""AWS in memory behind a session like boto3's: what submissions need, with faults and kills."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from bedrock_rft_sim.cloud.account import Aws

ACCOUNT = "123456789012"
REGION = "us-east-1"
BASE = f"arn:aws:bedrock:{REGION}::foundation-model/amazon.nova-2-lite-v1:0:256k"
BEGUN = datetime(2026, 11, 26, 12, tzinfo=UTC)
DESCRIBED = {
    "customizationType": "REINFORCEMENT_FINE_TUNING",
    "status": "InProgress",
    "creationTime": BEGUN,
    "lastModifiedTime": BEGUN,
}
"""What Bedrock adds to a request."""


class KilledError(BaseException):
    """The process dies here."""


@dataclass
class FakeAws:
    """The state of an account, and what goes wrong at which call."""

    grade: Callable[[bytes], bytes]
    """What the deployed handler answers to an event."""
    buckets: dict[str, dict[str, Any]] = field(default_factory=lambda: {"my-bucket": {}})
    roles: dict[str, dict[str, Any]] = field(default_factory=dict)
    functions: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    deployments: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    bought: int = 0
    young: int = 0
    """How many calls still find a role that IAM has not made known yet."""
    calls: list[str] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)
    """By the number of the call, from 0: throttled, error, timeout, denied, before, after."""
    denied_actions: tuple[str, ...] = ()

    def aws(self) -> Aws:
        """Return the border around it; nothing waits."""
        return Aws(self, REGION, sleep=lambda _: None)

    def get_credentials(self) -> Any:
        return None

    def client(self, service: str, **_options: Any) -> FakeClient:
        return FakeClient(self, service)

    def _refuse_a_young_role(self, code: str, operation: str) -> None:
        if self.young:
            self.young -= 1
            raise refusal(code, "The role defined cannot be assumed.", operation)

    def do(self, service: str, operation: str, asked: dict[str, Any]) -> Any:
        fault = self.faults.get(len(self.calls))
        self.calls.append(f"{service}.{operation}")
        if fault == "before":
            raise KilledError
        refused = {
            "throttled": "ThrottlingException",
            "error": "InternalFailure",
            "denied": "AccessDeniedException",
        }
        if fault in refused:
            raise refusal(refused[fault], f"{fault} on purpose", operation)
        try:
            return getattr(self, f"_{operation}")(**asked)
        finally:
            if fault == "after":
                raise KilledError
            if fault == "timeout":
                raise ReadTimeoutError(endpoint_url="https://aws")

    # STS and IAM

    def _get_caller_identity(self) -> Any:
        return {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/me"}

    def _get_role(self, RoleName: str) -> Any:
        return {"Role": _there(self.roles, RoleName, "NoSuchEntity")}

    def _create_role(self, RoleName: str, Path: str, AssumeRolePolicyDocument: str) -> Any:
        if RoleName in self.roles:
            raise refusal("EntityAlreadyExists", "taken", "CreateRole")
        self.roles[RoleName] = {
            "Arn": f"arn:aws:iam::{ACCOUNT}:role{Path}{RoleName}",
            "AssumeRolePolicyDocument": json.loads(AssumeRolePolicyDocument),
            "policies": {},
        }
        return {"Role": self.roles[RoleName]}

    def _put_role_policy(self, RoleName: str, PolicyName: str, PolicyDocument: str) -> Any:
        self.roles[RoleName]["policies"][PolicyName] = json.loads(PolicyDocument)
        return {}

    def _delete_role_policy(self, RoleName: str, PolicyName: str) -> Any:
        _there(_there(self.roles, RoleName, "NoSuchEntity")["policies"], PolicyName, "NoSuchEntity")
        del self.roles[RoleName]["policies"][PolicyName]
        return {}

    def _delete_role(self, RoleName: str) -> Any:
        _there(self.roles, RoleName, "NoSuchEntity")
        del self.roles[RoleName]
        return {}

    def _simulate_principal_policy(self, ActionNames: list[str], **_asked: Any) -> Any:
        denied = ActionNames[0] in self.denied_actions
        return {"EvaluationResults": [{"EvalDecision": "implicitDeny" if denied else "allowed"}]}

    # Lambda

    def _get_function_configuration(self, FunctionName: str, Qualifier: str = "$LATEST") -> Any:
        found = _there(self.functions, FunctionName, "ResourceNotFoundException")
        if Qualifier == "$LATEST":
            return dict(found)
        numbers = dict(enumerate(self.versions[FunctionName], start=1))
        return _there({str(n): v for n, v in numbers.items()}, Qualifier, "NoSuchEntity")

    def _create_function(self, FunctionName: str, Code: Any, **asked: Any) -> Any:
        self._refuse_a_young_role("InvalidParameterValueException", "CreateFunction")
        if FunctionName in self.functions:
            raise refusal("ResourceConflictException", "exists", "CreateFunction")
        self.functions[FunctionName] = {**asked, "CodeSha256": sha(Code["ZipFile"])}
        return {}

    def _update_function_code(self, FunctionName: str, ZipFile: bytes) -> Any:
        self.functions[FunctionName]["CodeSha256"] = sha(ZipFile)
        return {}

    def _update_function_configuration(self, FunctionName: str, **asked: Any) -> Any:
        self.functions[FunctionName] |= asked
        return {}

    def _publish_version(self, FunctionName: str, CodeSha256: str) -> Any:
        assert CodeSha256 == self.functions[FunctionName]["CodeSha256"]
        made = self.versions.setdefault(FunctionName, [])
        if not made or made[-1] != self.functions[FunctionName]:
            made.append(dict(self.functions[FunctionName]))
        return {"Version": str(len(made))}

    def _delete_function(self, FunctionName: str) -> Any:
        _there(self.functions, FunctionName, "ResourceNotFoundException")
        del self.functions[FunctionName]
        return {}

    def _invoke(self, FunctionName: str, Payload: bytes) -> Any:
        return {"Payload": io.BytesIO(self.grade(Payload))}

    # S3

    def _head_bucket(self, Bucket: str) -> Any:
        _there(self.buckets, Bucket, "404")
        return {"BucketRegion": REGION}

    def _head_object(self, Bucket: str, Key: str) -> Any:
        found = _there(self.buckets[Bucket], Key, "404")
        return {"ContentLength": len(found["Body"]), "Metadata": found["Metadata"]}

    def _get_object(self, Bucket: str, Key: str) -> Any:
        return {"Body": io.BytesIO(_there(self.buckets[Bucket], Key, "NoSuchKey")["Body"])}

    def _put_object(self, Bucket: str, Key: str, Body: Any, Metadata: Any, **_asked: Any) -> Any:
        self.buckets[Bucket][Key] = {"Body": Body.read(), "Metadata": Metadata}
        return {}

    def _delete_object(self, Bucket: str, Key: str) -> Any:
        self.buckets[Bucket].pop(Key, None)
        return {}

    # Bedrock

    def _get_foundation_model(self, modelIdentifier: str) -> Any:
        return {"modelDetails": {"customizationsSupported": ["FINE_TUNING"]}}

    def _list_custom_models(self, nameContains: str) -> Any:
        names = [job["customModelName"] for job in self.jobs.values()]
        return {"modelSummaries": [{"modelName": name} for name in names if nameContains in name]}

    def _get_model_customization_job(self, jobIdentifier: str) -> Any:
        by_arn = {job["jobArn"]: job for job in self.jobs.values()}
        by_id = {arn.rpartition("/")[2]: job for arn, job in by_arn.items()}
        known = by_arn | by_id | self.jobs
        found = dict(_there(known, jobIdentifier, "ResourceNotFoundException"))
        found.pop("baseModelIdentifier", None)
        return {"outputModelName": found.pop("customModelName"), "baseModelArn": BASE} | found

    def _delete_custom_model(self, modelIdentifier: str) -> Any:
        return {}

    def _create_custom_model_deployment(self, modelDeploymentName: str, **asked: Any) -> Any:
        if modelDeploymentName in self.deployments:
            raise refusal("ValidationException", "taken", "CreateCustomModelDeployment")
        arn = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:custom-model-deployment/{modelDeploymentName}"
        made = {**asked, "customModelDeploymentArn": arn, "status": "Creating"}
        self.deployments[modelDeploymentName] = made
        return made

    def _get_custom_model_deployment(self, customModelDeploymentIdentifier: str) -> Any:
        name = customModelDeploymentIdentifier
        found = dict(_there(self.deployments, name, "ResourceNotFoundException"))
        self.deployments[name]["status"] = "Active"  # the next one who asks is told so
        return found

    def _delete_custom_model_deployment(self, customModelDeploymentIdentifier: str) -> Any:
        self.deployments.pop(customModelDeploymentIdentifier, None)
        return {}

    # CloudWatch Logs

    def _filter_log_events(self, startTime: int, nextToken: str = "0", **_asked: Any) -> Any:
        if not self.log:
            raise refusal("ResourceNotFoundException", "no such group", "FilterLogEvents")
        new = [each for each in self.log if each["timestamp"] >= startTime]
        start = int(nextToken)
        more = {"nextToken": str(start + 2)} if len(new) > start + 2 else {}
        return {"events": new[start : start + 2], **more}

    def _list_objects_v2(self, Bucket: str, Prefix: str) -> Any:
        found = self.buckets[Bucket].items()
        listed = [{"Key": k, "Size": len(v["Body"])} for k, v in found if k.startswith(Prefix)]
        return {"Contents": listed}

    def _create_model_customization_job(self, **asked: Any) -> Any:
        self._refuse_a_young_role("ValidationException", "CreateModelCustomizationJob")
        known = self.jobs.get(asked["jobName"])
        if known is None:
            self.bought += 1
            arn = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:model-customization-job/x/{self.bought:012}"
            known = self.jobs[asked["jobName"]] = {**asked, "jobArn": arn, **DESCRIBED}
        elif known["clientRequestToken"] != asked["clientRequestToken"]:
            raise refusal("ConflictException", "the name is taken", "CreateModelCustomizationJob")
        return {"jobArn": known["jobArn"]}


@dataclass
class FakeClient:
    """One service's client."""

    fake: FakeAws
    service: str

    def __getattr__(self, operation: str) -> Any:
        return lambda **asked: self.fake.do(self.service, operation, asked)


def refusal(code: str, message: str, operation: str) -> ClientError:
    """Return what boto3 raises where AWS refuses."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def sha(content: bytes) -> str:
    """Return a hash as Lambda writes it."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _there(known: dict[str, Any], name: str, code: str) -> Any:
    if name not in known:
        raise refusal(code, f"no {name}", "Get")
    return known[name]
