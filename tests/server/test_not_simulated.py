"""What is not simulated says so, in the form of whoever was asked, whatever operation it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from bedrock_rft_sim.errors import RunFolderError
from bedrock_rft_sim.jobs import Jobs
from bedrock_rft_sim.recipe.dialects.service_model import service_model
from bedrock_rft_sim.server.lambda_.functions import FunctionOperations
from bedrock_rft_sim.server.matrix import support_matrix
from tests.server.aws.test_s3 import signed
from tests.server.conftest import Endpoint
from tests.server.test_guard import ask

SIGNED_AS = {"bedrock-runtime": "bedrock"}


def request_line(service: str, operation: str) -> tuple[str, str]:
    http = service_model(service).operation_model(operation).http
    return http["method"], re.sub(r"\{\w+\+?\}", "x", http["requestUri"])


def test_every_operation_that_is_not_simulated_says_so(endpoint: Endpoint) -> None:
    count = 0
    for row in support_matrix(endpoint.state):
        if row.support == "not simulated":
            method, path = request_line(row.service, row.operation)
            service = SIGNED_AS.get(row.service, row.service)
            target = {"X-Amz-Target": f"Service.{row.operation}"}
            status, content = signed(endpoint, service, method, path, **target)
            said = json.loads(content)
            assert (status, said["__type"]) == (400, "UnknownOperationException"), row
            assert "not simulated" in said["message"], row
            count += 1
    assert count > 100


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        (
            "bedrock-agent-runtime",
            "retrieve",
            {"knowledgeBaseId": "ABCDEFGHIJ", "retrievalQuery": {}},
        ),
        ("bedrock-agent", "list_prompts", {}),
        ("bedrock-runtime", "list_async_invokes", {}),
        ("lambda", "list_code_signing_configs", {}),
        ("sqs", "list_queues", {}),
    ],
)
def test_clients_of_other_services_are_told(
    endpoint: Endpoint, service: str, operation: str, arguments: dict[str, object]
) -> None:
    with pytest.raises(ClientError, match="not simulated") as refused:
        getattr(endpoint.client(service), operation)(**arguments)
    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/model/x/converse"),
        ("PUT", "/model/x/converse"),
        ("OPTIONS", "/v1/files"),
        ("TRACE", "/v1/models"),
        ("POST", "/async-invoke"),
        ("POST", "/guardrail/x/version/1/apply"),
    ],
)
def test_a_wrong_method_is_refused_in_json(endpoint: Endpoint, method: str, path: str) -> None:
    status, said = ask(endpoint, method, path)
    words = said["error"]["message"] if path.startswith("/v1/") else said["message"]
    assert (status in (400, 404), "not simulated" in words) == (True, True)


def test_throughput_and_concurrency_are_refused_with_what_to_do_instead(
    endpoint: Endpoint,
) -> None:
    with pytest.raises(ClientError, match=r"CreateProvisioned.* CreateCustomModelDeployment"):
        endpoint.client("bedrock").create_provisioned_model_throughput(
            modelUnits=1, provisionedModelName="p", modelId="m"
        )
    functions = endpoint.client("lambda")
    with pytest.raises(ClientError, match=r"PutFunctionConcurrency .*leave the call out"):
        functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=2)
    with pytest.raises(ClientError, match=r"PutProvisionedConcurrencyConfig .*leave the call out"):
        functions.put_provisioned_concurrency_config(
            FunctionName="f", Qualifier="1", ProvisionedConcurrentExecutions=2
        )


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/model-customization-jobs", "InternalServerException"),
        ("/2015-03-31/functions/", "ServiceException"),
        ("/v1/fine_tuning/jobs", "server_error"),
    ],
)
def test_a_full_disk_is_told_and_logged(
    serve_root: Callable[..., Endpoint],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    path: str,
    code: str,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise RunFolderError("can't be read", where="jobs.sqlite", hint="make room")

    monkeypatch.setattr(Jobs, "list", full)
    monkeypatch.setattr(FunctionOperations, "list", full)
    endpoint = serve_root()
    status, said = ask(endpoint, path=path)
    assert status == 500
    told = said.get("error", said)
    assert "make room" in told["message"]
    assert code in (told.get("__type"), told.get("type"))
    assert "make room" in caplog.text
