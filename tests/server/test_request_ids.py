"""Every answer has a request id, where each client looks for it."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError
from openai import OpenAI

from tests.server.aws_setup import create_function, put
from tests.server.conftest import Endpoint

CALLS = (
    ("bedrock", "list_model_customization_jobs", {}),
    ("lambda", "list_functions", {}),
    ("lambda", "get_function", {"FunctionName": "with-an-id"}),
    ("lambda", "invoke", {"FunctionName": "with-an-id", "Payload": b"[]"}),
    ("lambda", "invoke", {"FunctionName": "with-an-id", "InvocationType": "Event"}),
    ("lambda", "invoke", {"FunctionName": "with-an-id", "InvocationType": "DryRun"}),
    ("iam", "list_roles", {}),
    ("sts", "get_caller_identity", {}),
    ("s3", "list_buckets", {}),
    ("s3", "head_bucket", {"Bucket": "with-an-id"}),
)
REFUSED = (
    ("bedrock", "get_model_customization_job", {"jobIdentifier": "none"}),
    ("bedrock", "list_guardrails", {}),
    ("bedrock-runtime", "converse", {"modelId": "none.none", "messages": []}),
    ("iam", "get_role", {"RoleName": "none"}),
    ("s3", "get_object", {"Bucket": "no-such-bucket", "Key": "k"}),
    ("sqs", "list_queues", {}),
)


@pytest.fixture(scope="module", autouse=True)
def _a_function_and_a_bucket(endpoint: Endpoint) -> None:
    create_function(endpoint, "with-an-id")
    put(endpoint, "with-an-id")


def test_every_answer_has_an_id_of_its_own(endpoint: Endpoint) -> None:
    ids = [
        getattr(endpoint.client(service), call)(**arguments)["ResponseMetadata"]["RequestId"]
        for service, call, arguments in CALLS
    ]
    assert len(set(ids)) == len(CALLS)


@pytest.mark.parametrize(("service", "call", "arguments"), REFUSED)
def test_every_refusal_has_an_id(
    endpoint: Endpoint, service: str, call: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(endpoint.client(service), call)(**arguments)
    assert refused.value.response["ResponseMetadata"]["RequestId"]


def test_the_openai_sdk_finds_its_id(endpoint: Endpoint) -> None:
    with OpenAI(base_url=f"{endpoint.url}/v1", api_key="x") as client:
        first, second = client.models.list(), client.models.list()
    assert first._request_id
    assert first._request_id != second._request_id


@pytest.mark.parametrize("path", ["/", "/console", "/model/x/converse", "/v1/nothing"])
def test_what_the_guard_refuses_has_one_too(endpoint: Endpoint, path: str) -> None:
    request = urllib.request.Request(endpoint.url + path, headers={"Host": "example.com"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    with refused.value as error:
        assert error.headers.get("x-amzn-requestid") or error.headers.get("x-request-id")
