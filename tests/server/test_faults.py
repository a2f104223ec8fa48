"""Faults on purpose, and that a client's own retries get over them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from bedrock_rft_sim.cli import main
from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.server.app import build
from bedrock_rft_sim.server.faults import FaultPlan, FaultRule, read_faults
from bedrock_rft_sim.server.state import ServerState
from tests.jobs.conftest import wait_until
from tests.server.aws_setup import create_function, put, records, rft_request
from tests.server.conftest import Endpoint

CREATE = "bedrock.CreateModelCustomizationJob"
EXAMPLE = """
roleDelay: 10
faults:
  - {operation: bedrock.CreateModelCustomizationJob, calls: [1], fault: timeout}
  - {operation: lambda.Invoke, calls: [2, 3], fault: throttled}
  - {operation: POST /v1/fine_tuning/jobs, calls: [1], fault: error}
  - {operation: s3.PutObject, fault: slow, seconds: 3}
"""
CALLS: tuple[tuple[str, str, dict[str, Any], str, str], ...] = (
    ("bedrock.ListCustomModels", "list_custom_models", {}, "Throttling", "InternalServer"),
    ("lambda.ListFunctions", "list_functions", {}, "TooManyRequests", "Service"),
    ("logs.DescribeLogGroups", "describe_log_groups", {}, "Throttling", "ServiceUnavailable"),
    ("s3.ListBuckets", "list_buckets", {}, "SlowDown", "InternalError"),
    ("s3.PutObject", "put_object", {"Bucket": "b", "Key": "k"}, "SlowDown", "InternalError"),
    ("iam.ListRoles", "list_roles", {}, "Throttling", "ServiceFailure"),
    ("sts.GetCallerIdentity", "get_caller_identity", {}, "Throttling", "InternalFailure"),
)


def plan(*rules: dict[str, Any], delay: float = 0.0) -> FaultPlan:
    return FaultPlan(roleDelay=delay, faults=[FaultRule(**rule) for rule in rules])


def code_of(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    code: str = error.value.response["Error"]["Code"]
    return code


def test_every_service_is_throttled_and_fails_in_its_own_words(
    serve_root: Callable[..., Endpoint],
) -> None:
    rules = [
        {"operation": operation, "fault": fault, "calls": [number]}
        for operation, *_ in CALLS
        for number, fault in ((1, "throttled"), (2, "error"))
    ]
    endpoint = serve_root(faults=plan(*rules))
    for operation, call, arguments, throttled, failed in CALLS:
        client = endpoint.client(operation.partition(".")[0])
        assert code_of(getattr(client, call), **arguments).removesuffix("Exception") == throttled
        assert code_of(getattr(client, call), **arguments).removesuffix("Exception") == failed
        if "Bucket" not in arguments:
            assert getattr(client, call)(**arguments)["ResponseMetadata"]["RetryAttempts"] == 0


@pytest.mark.parametrize("fault", ["throttled", "error"])
def test_boto3_and_the_openai_sdk_get_over_a_fault_by_themselves(
    serve_root: Callable[..., Endpoint], fault: str
) -> None:
    rules = [
        {"operation": operation, "fault": fault, "calls": [1]}
        for operation in ("bedrock.ListCustomModels", "GET /v1/fine_tuning/jobs")
    ]
    endpoint = serve_root(faults=plan(*rules))
    retries = {"config": {"retries": {"total_max_attempts": 2, "mode": "standard"}}}
    told = endpoint.client("bedrock", **retries).list_custom_models()["ResponseMetadata"]
    assert told["RetryAttempts"] == 1
    kinds = {"throttled": openai.RateLimitError, "error": openai.InternalServerError}
    for retried in (0, 1):
        rule = {"operation": "GET /v1/models", "fault": fault, "calls": [1]}
        other = serve_root(endpoint.state.root.with_name(f"more-{retried}"), faults=plan(rule))
        with openai.OpenAI(base_url=f"{other.url}/v1", api_key="x", max_retries=retried) as client:
            if retried:
                assert client.models.list().data
            else:
                with pytest.raises(kinds[fault], match="a fault on purpose"):
                    client.models.list()


def test_a_timeout_after_acceptance_has_done_what_was_asked(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root(faults=plan({"operation": CREATE, "fault": "timeout", "calls": [1]}))
    put(endpoint, "timed-out", train=records(), validation=records(2))
    create_function(endpoint, "f")
    request = rft_request("timed-out", bucket="timed-out", function="f", clientRequestToken="t")
    hasty = endpoint.client("bedrock", config={"read_timeout": 0.5})
    with pytest.raises(ReadTimeoutError):
        hasty.create_model_customization_job(**request)
    bedrock = endpoint.client("bedrock")
    accepted = bedrock.list_model_customization_jobs()["modelCustomizationJobSummaries"]
    again = bedrock.create_model_customization_job(**request)["jobArn"]
    assert [one["jobArn"] for one in accepted] == [again]


def test_a_slow_call_and_a_timeout_that_ends_take_their_time(
    serve_root: Callable[..., Endpoint],
) -> None:
    slow = {"operation": "bedrock.ListCustomModels", "fault": "slow", "seconds": 0.3, "calls": [1]}
    endpoint = serve_root(faults=plan(slow, {**slow, "fault": "timeout", "calls": [2]}))
    bedrock = endpoint.client("bedrock")
    began = time.monotonic()
    assert bedrock.list_custom_models()["modelSummaries"] == []
    assert code_of(bedrock.list_custom_models) == "InternalServerException"
    assert time.monotonic() - began >= 0.6
    assert bedrock.list_custom_models()["modelSummaries"] == []


def test_a_new_role_can_be_assumed_only_after_its_delay(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root(faults=plan(delay=3.0))
    iam = endpoint.client("iam")
    role = iam.create_role(RoleName="just-made", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    put(endpoint, "role-delay", train=records(), validation=records(2))
    with pytest.raises(ClientError, match="cannot be assumed by Lambda"):
        create_function(endpoint, "f", Role=role)
    request = rft_request("early", bucket="role-delay", function="f", roleArn=role)
    bedrock = endpoint.client("bedrock")
    assert code_of(bedrock.create_model_customization_job, **request) == "ValidationException"

    def is_assumed() -> bool:
        try:
            create_function(endpoint, "f", Role=role)
        except ClientError:
            return False
        return True

    wait_until(is_assumed)
    assert bedrock.create_model_customization_job(**request)["jobArn"]


TRUST = '{"Version": "2012-10-17", "Statement": []}'


def test_the_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(EXAMPLE)
    found = read_faults(path)
    assert found.roleDelay == 10.0
    assert [rule.fault for rule in found.faults] == ["timeout", "throttled", "error", "slow"]
    with ServerState(tmp_path / "root", faults=found) as state:
        build(state)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("faults: [{operation: lambda.Invoke, fault: explode}]", "'throttled', 'error'"),
        ("faults: [{operation: lambda.Invoke, fault: error, call: 1}]", "faults.0.call"),
        ("faults: [{operation: lambda.Invoke, fault: error, calls: [0]}]", "faults.0.calls.0"),
        ("faults: [{operation: lambda.Invoke, fault: error, seconds: 3}]", "no meaning"),
        ("delay: 3", "delay"),
        ("faults: [", "faults.yaml"),
    ],
)
def test_a_wrong_file_is_refused_by_place(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=r"faults\.yaml") as refused:
        read_faults(path)
    assert words in str(refused.value)


def test_an_operation_that_there_is_not_is_refused_with_a_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text("faults: [{operation: lambda.Invok, fault: error}]")
    options = ["--root", str(tmp_path / "root"), "--port", "0", "--faults", str(path)]
    assert main(["serve", *options]) == 2
    assert "lambda.Invoke" in capsys.readouterr().err
