"""The order and the parameters of every call of a submission, held by botocore's Stubber."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.stub import ANY, Stubber

from bedrock_rft_sim.cloud.account import Aws
from bedrock_rft_sim.cloud.function_upload import code_sha256
from bedrock_rft_sim.cloud.nova import KIND
from bedrock_rft_sim.cloud.record import CloudRecord
from bedrock_rft_sim.cloud.role import execution_role, service_role
from bedrock_rft_sim.cloud.submit import Wishes, perform, plan_submission
from tests.cloud.fake_aws import ACCOUNT, REGION
from tests.cloud.submissions import graded, submission

EXECUTION = f"arn:aws:iam::{ACCOUNT}:role/gsm8k-reward-execution"
JOB = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:model-customization-job/amazon.nova/abcdefghijkl"
FUNCTION = "gsm8k-reward"
Expected = tuple[str, str, dict[str, Any] | str, dict[str, Any]]


class Stubbed:
    """A session whose clients answer in one given order over all services."""

    def __init__(self, expected: list[Expected]) -> None:
        session = botocore.session.Session()
        session.set_credentials("testing", "testing")
        self.called: list[str] = []
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

    def assert_used_up(self) -> None:
        for _, stubber in self._clients.values():
            stubber.assert_no_pending_responses()


def looks() -> Iterator[Expected]:
    """Yield what a plan asks where nothing is there."""
    missing = "ResourceNotFoundException"
    yield "sts", "get_caller_identity", {"Account": ACCOUNT, "Arn": "arn:me-and-nobody-else"}, {}
    yield "iam", "get_role", "NoSuchEntity", {"RoleName": "BedrockRFTRole"}
    yield "lambda", "get_function_configuration", missing, {"FunctionName": FUNCTION}
    yield "iam", "get_role", "NoSuchEntity", {"RoleName": "gsm8k-reward-execution"}
    for each in submission().objects:
        place = each.place
        yield "s3", "head_bucket", {"BucketRegion": REGION}, {"Bucket": place.bucket}
        yield "s3", "head_object", "404", {"Bucket": place.bucket, "Key": place.key}
    yield "bedrock", "get_model_customization_job", missing, {"jobIdentifier": "quickstart"}
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
        sent = {"Body": ANY, "ChecksumSHA256": ANY, "Metadata": {"rft-sha256": each.sha256}}
        yield "s3", "put_object", {}, {**named, **sent}
    request = submission().recipe.payload()
    assert request is not None
    grader = request["customizationConfig"]["rftConfig"]["graderConfig"]["lambdaGrader"]
    grader["lambdaArn"] = f"{submission().function}:1"
    token = {"clientRequestToken": ANY}
    yield "bedrock", "create_model_customization_job", {"jobArn": JOB}, {**request, **token}


MISSING = "ResourceNotFoundException"


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
    ready |= {"LastUpdateStatus": "Successful", "CodeSha256": code_sha256(submission())}
    yield "lambda", "get_function_configuration", MISSING, named
    asked = {**named, **settings, "Runtime": wanted.runtime, "Role": EXECUTION, "Code": code}
    yield "lambda", "create_function", {}, asked
    yield "lambda", "get_function_configuration", ready, named
    sha = {"CodeSha256": code_sha256(submission())}
    yield "lambda", "publish_version", {"Version": "1"}, {**named, **sha}
    yield "lambda", "get_function_configuration", ready, {**named, "Qualifier": "1"}


def test_a_submission_asks_this_in_this_order(tmp_path: Path) -> None:
    expected = [*looks(), *makes()]
    stubbed, record = Stubbed(expected), CloudRecord(tmp_path)
    aws, wishes = Aws(stubbed, REGION), Wishes(create_role=True)
    assert plan_submission(aws, submission(), record, wishes).blockers == ()
    assert perform(aws, submission(), record, wishes) == JOB
    stubbed.assert_used_up()
    assert [call.partition(".")[2] for call in stubbed.called] == [camel(e[1]) for e in expected]
    assert record.get(KIND)["arn"] == JOB


def camel(operation: str) -> str:
    return "".join(part.title() for part in operation.split("_"))


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
