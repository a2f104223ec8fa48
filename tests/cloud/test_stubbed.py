"""The order and the parameters of every call, held by botocore's Stubber."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.stub import Stubber

from bedrock_rft_sim.cli import main
from bedrock_rft_sim.cloud import account
from bedrock_rft_sim.cloud.account import Aws
from bedrock_rft_sim.cloud.nova import KIND
from bedrock_rft_sim.cloud.record import CLOUD, CloudRecord
from bedrock_rft_sim.cloud.role import execution_role, service_role
from bedrock_rft_sim.cloud.submit import Wishes, perform, plan_submission
from tests.cloud.fake_aws import ACCOUNT, BEGUN, REGION, sha
from tests.cloud.submissions import graded, submission
from tests.cloud.test_pull import CSV, REPORT, end, submitted

EXECUTION = f"arn:aws:iam::{ACCOUNT}:role/gsm8k-reward-execution"
JOB = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:model-customization-job/amazon.nova/abcdefghijkl"
DEPLOYMENT = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:custom-model-deployment/abcdefghijkl"
FUNCTION = "gsm8k-reward"
MISSING = "ResourceNotFoundException"
Expected = tuple[str, str, dict[str, Any] | str, dict[str, Any]]


class Stubbed:
    """A session whose clients answer in one given order over all services."""

    def __init__(self, expected: list[Expected]) -> None:
        session = botocore.session.Session()
        session.set_credentials("testing", "testing")
        self.called: list[str] = []
        self._wanted = [f"{service}.{camel(name)}" for service, name, *_ in expected]
        self._clients: dict[str, Any] = {}
        for service, operation, answer, asked in expected:
            if service not in self._clients:
                client = session.create_client(service, region_name=REGION)
                client.meta.events.register("before-parameter-build", self._note)
                self._clients[service] = (client, Stubber(client))
            stubber = self._clients[service][1]
            if isinstance(answer, str):
                stubber.add_client_error(operation, answer, expected_params=asked)
            else:
                stubber.add_response(operation, answer, asked)
        for _, stubber in self._clients.values():
            stubber.activate()

    def _note(self, model: Any, **_: Any) -> None:
        self.called.append(f"{model.service_model.service_name}.{model.name}")

    def get_credentials(self) -> None:
        return None

    def client(self, service: str, **_options: Any) -> Any:
        return self._clients[service][0]

    def assert_used_up_in_order(self) -> None:
        for _, stubber in self._clients.values():
            stubber.assert_no_pending_responses()
        assert self.called == self._wanted


class Stream:
    """Equals a stream of the same bytes."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, io.BytesIO) and other.getvalue() == self.content


def looks() -> Iterator[Expected]:
    """Yield what a plan asks where nothing is there."""
    yield "sts", "get_caller_identity", {"Account": ACCOUNT, "Arn": "arn:me-and-nobody-else"}, {}
    yield "iam", "get_role", "NoSuchEntity", {"RoleName": "BedrockRFTRole"}
    yield "lambda", "get_function_configuration", MISSING, {"FunctionName": FUNCTION}
    yield "iam", "get_role", "NoSuchEntity", {"RoleName": "gsm8k-reward-execution"}
    for each in submission().objects:
        place = each.place
        yield "s3", "head_bucket", {"BucketRegion": REGION}, {"Bucket": place.bucket}
        yield "s3", "head_object", "404", {"Bucket": place.bucket, "Key": place.key}
    yield "bedrock", "get_model_customization_job", MISSING, {"jobIdentifier": "quickstart"}
    yield "bedrock", "list_custom_models", {"modelSummaries": []}, {"nameContains": "quickstart"}
    model = submission().recipe.base_model
    yield "bedrock", "get_foundation_model", {}, {"modelIdentifier": model}


def makes() -> Iterator[Expected]:
    """Yield what a submission asks after its plan."""
    yield from role(service_role(submission()))
    yield "lambda", "get_function_configuration", MISSING, {"FunctionName": FUNCTION}
    yield from role(execution_role(submission(), None))
    yield from function()
    for case in submission().cases:
        answer = {"Payload": io.BytesIO(graded(submission(), case.event))}
        asked = {"FunctionName": f"{submission().function}:1", "Payload": case.event}
        yield "lambda", "invoke", answer, asked
    for each in submission().objects:
        named = {"Bucket": each.place.bucket, "Key": each.place.key}
        yield "s3", "head_object", "404", named
        assert isinstance(each.source, bytes)
        digest = hashlib.sha256(each.source).hexdigest()
        sent = {"Body": Stream(each.source), "ChecksumSHA256": sha(each.source)}
        yield "s3", "put_object", {}, {**named, **sent, "Metadata": {"rft-sha256": digest}}
    request = submission().recipe.payload()
    assert request is not None
    grader = request["customizationConfig"]["rftConfig"]["graderConfig"]["lambdaGrader"]
    grader["lambdaArn"] = f"{submission().function}:1"
    meaning = json.dumps([ACCOUNT, REGION, request], sort_keys=True)
    token = {"clientRequestToken": hashlib.sha256(meaning.encode()).hexdigest()}
    yield "bedrock", "create_model_customization_job", {"jobArn": JOB}, {**request, **token}


def role(wanted: Any) -> Iterator[Expected]:
    name = {"RoleName": wanted.arn.name}
    yield "iam", "get_role", "NoSuchEntity", name
    made = {
        "Path": "/",
        **name,
        "RoleId": "AROA1234567890123456",
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/{wanted.arn.name}",
        "CreateDate": 0,
    }
    trust = {"AssumeRolePolicyDocument": json.dumps(wanted.trust), "Path": "/"}
    yield "iam", "create_role", {"Role": made}, {**name, **trust}
    policy = {"PolicyName": "bedrock-rft", "PolicyDocument": json.dumps(wanted.permissions)}
    yield "iam", "put_role_policy", {}, {**name, **policy}


def function() -> Iterator[Expected]:
    wanted = submission().settings
    settings = {"Handler": wanted.handler, "Timeout": 3, "MemorySize": 512}
    code = {"ZipFile": submission().archive.content}
    named = {"FunctionName": FUNCTION}
    ready = {**settings, "Runtime": wanted.runtime, "State": "Active"}
    ready |= {"LastUpdateStatus": "Successful", "CodeSha256": sha(submission().archive.content)}
    yield "lambda", "get_function_configuration", MISSING, named
    asked = {**named, **settings, "Runtime": wanted.runtime, "Role": EXECUTION, "Code": code}
    yield "lambda", "create_function", {}, asked
    yield "lambda", "get_function_configuration", ready, named
    code_hash = {"CodeSha256": sha(submission().archive.content)}
    yield "lambda", "publish_version", {"Version": "1"}, {**named, **code_hash}
    yield "lambda", "get_function_configuration", ready, {**named, "Qualifier": "1"}


def test_a_submission_asks_this_in_this_order(tmp_path: Path) -> None:
    expected = [*looks(), *makes()]
    stubbed, record = Stubbed(expected), CloudRecord(tmp_path)
    aws, wishes = Aws(stubbed, REGION), Wishes(create_role=True)
    assert plan_submission(aws, submission(), record, wishes).blockers == ()
    assert perform(aws, submission(), record, wishes) == JOB
    stubbed.assert_used_up_in_order()
    assert record.get(KIND)["arn"] == JOB


def camel(operation: str) -> str:
    return "".join(part.title() for part in operation.split("_"))


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what Bedrock says of a completed job that was submitted from the current folder."""
    monkeypatch.chdir(tmp_path)
    fake = submitted(tmp_path / CLOUD)
    end(fake)
    found: dict[str, Any] = fake._get_model_customization_job("quickstart")
    return found


@pytest.fixture
def asks(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str], list[Expected]], None]:
    """Return a function that runs a verb, which must ask this in this order and nothing else."""

    def run(verb: list[str], expected: list[Expected]) -> None:
        stubbed = Stubbed(expected)
        aws = Aws(stubbed, REGION, sleep=lambda _: None)
        monkeypatch.setattr(account, "open_aws", lambda _region: aws)
        assert main(verb) == 0
        stubbed.assert_used_up_in_order()

    return run


def describes(job: dict[str, Any], **changes: Any) -> Expected:
    asked = {"jobIdentifier": job["jobArn"]}
    return "bedrock", "get_model_customization_job", {**job, **changes}, asked


def test_a_pull_asks_this_in_this_order(job: dict[str, Any], asks: Any) -> None:
    prefix = f"output/model-customization-job-{job['jobArn'].rpartition('/')[2]}/"
    key = f"{prefix}training_artifacts/step_wise_training_metrics.csv"
    listed = {"Bucket": "my-bucket", "Prefix": prefix}
    first = {"Contents": [{"Key": f"{prefix}else", "Size": 1}], "NextContinuationToken": "more"}
    second = {"Contents": [{"Key": key, "Size": len(CSV)}]}
    begun, ended = (int(job[name].timestamp()) * 1000 for name in ("creationTime", "endTime"))
    group = {"logGroupName": f"/aws/lambda/{FUNCTION}"}
    log = {**group, "startTime": begun, "endTime": ended + 60_000}
    line = {"eventId": "1", "timestamp": begun, "message": REPORT.format("a", "20.00")}
    asks(
        ["pull", "quickstart"],
        [
            describes(job),
            ("s3", "list_objects_v2", first, listed),
            ("s3", "list_objects_v2", second, {**listed, "ContinuationToken": "more"}),
            ("s3", "get_object", {"Body": io.BytesIO(CSV)}, {"Bucket": "my-bucket", "Key": key}),
            ("logs", "filter_log_events", {"events": [line], "nextToken": "more"}, log),
            ("logs", "filter_log_events", {"events": []}, {**log, "nextToken": "more"}),
        ],
    )


def test_a_deployment_asks_this_in_this_order(job: dict[str, Any], asks: Any) -> None:
    model = {"modelDeploymentName": "quickstart", "modelArn": job["outputModelArn"]}
    token = hashlib.sha256(f"{job['jobArn']} quickstart 0".encode()).hexdigest()
    arn = {"customModelDeploymentArn": DEPLOYMENT}
    named = {"customModelDeploymentIdentifier": "quickstart"}
    get, there = "get_custom_model_deployment", {**model, **arn, "createdAt": BEGUN}
    asks(
        ["deploy", "quickstart"],
        [
            describes(job),
            ("bedrock", get, MISSING, named),
            ("bedrock", "create_custom_model_deployment", arn,
             {**model, "clientRequestToken": token}),
            ("bedrock", get, {**there, "status": "Creating"}, named),
            ("bedrock", get, {**there, "status": "Active"}, named),
        ],
    )  # fmt: skip


def test_a_stop_asks_this_in_this_order(job: dict[str, Any], asks: Any) -> None:
    named = {"jobIdentifier": job["jobArn"]}
    asks(
        ["stop", "quickstart"],
        [
            describes(job, status="InProgress"),
            ("bedrock", "stop_model_customization_job", {}, named),
            describes(job, status="Stopping"),
        ],
    )


def test_a_clean_asks_this_in_this_order(job: dict[str, Any], asks: Any) -> None:
    CloudRecord(CLOUD / "quickstart").own("deployment", "quickstart", "made")
    deployment = {"customModelDeploymentIdentifier": "quickstart"}
    policy = {"PolicyName": "bedrock-rft"}
    execution, service = (
        {"RoleName": name} for name in ("gsm8k-reward-execution", "BedrockRFTRole")
    )
    asks(
        ["clean", "quickstart", "--yes"],
        [
            describes(job),
            ("bedrock", "delete_custom_model_deployment", {}, deployment),
            ("bedrock", "get_custom_model_deployment", MISSING, deployment),
            ("bedrock", "delete_custom_model", {}, {"modelIdentifier": job["outputModelArn"]}),
            *(step for each in reversed(submission().objects) for step in deletes(each)),
            ("lambda", "delete_function", {}, {"FunctionName": FUNCTION}),
            ("iam", "delete_role_policy", "NoSuchEntity", {**execution, **policy}),
            ("iam", "delete_role", "NoSuchEntity", execution),
            ("iam", "delete_role_policy", {}, {**service, **policy}),
            ("iam", "delete_role", {}, service),
        ],
    )
    assert CloudRecord(CLOUD / "quickstart").owned() == []


def deletes(wanted: Any) -> Iterator[Expected]:
    named = {"Bucket": wanted.place.bucket, "Key": wanted.place.key}
    yield "s3", "head_object", {"Metadata": {"rft-sha256": wanted.sha256}}, named
    yield "s3", "delete_object", {}, named


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("ExpiredTokenException", "sign in again"),
        ("AccessDenied", "cloud-caller.json"),
        ("ThrottlingException", "AWS refuses sts:GetCallerIdentity: ThrottlingException"),
    ],
)
def test_a_refusal_is_one_message_with_the_next_step(code: str, hint: str, tmp_path: Path) -> None:
    stubbed = Stubbed([("sts", "get_caller_identity", code, {})])
    with pytest.raises(Exception, match=hint):
        plan_submission(Aws(stubbed, REGION), submission(), CloudRecord(tmp_path), Wishes())
