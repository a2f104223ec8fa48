"""What is created is not there at once, so that code which forgets to wait fails as on AWS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from openai import OpenAI

from tests.jobs.conftest import wait_until
from tests.server.aws_setup import (
    create_function,
    put,
    records,
    rft_request,
    wait_for_job,
    zipped,
)
from tests.server.conftest import Endpoint
from tests.server.mantle import conftest as mantle

FOREVER_S = 3600.0
BRIEFLY_S = 0.2


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    found = error.value.response["Error"]
    return found["Code"], found["Message"]


def test_a_function_is_pending_and_can_be_neither_invoked_nor_changed(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root(pending_s=FOREVER_S)
    assert create_function(endpoint, "f")["State"] == "Pending"
    client = endpoint.client("lambda")
    configuration = client.get_function(FunctionName="f")["Configuration"]
    assert configuration["StateReasonCode"] == "Creating"
    for call, arguments in (
        (client.invoke, {}),
        (client.invoke, {"InvocationType": "Event"}),
        (client.update_function_code, {"ZipFile": zipped(lambda_function="")}),
        (client.update_function_configuration, {"Timeout": 5}),
        (client.publish_version, {}),
    ):
        code, words = refused(call, FunctionName="f", **arguments)
        assert code == "ResourceConflictException"
        assert "state: Pending" in words
    client.delete_function(FunctionName="f")


def test_a_function_becomes_active_and_a_change_of_it_takes_as_long(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root(pending_s=BRIEFLY_S)
    create_function(endpoint, "f")
    client = endpoint.client("lambda")
    brief = {"Delay": 0.05}
    client.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig=brief)
    assert client.invoke(FunctionName="f", Payload=b"[]")["StatusCode"] == 200
    changed = client.update_function_configuration(FunctionName="f", Timeout=5)
    assert (changed["State"], changed["LastUpdateStatus"]) == ("Active", "InProgress")
    code, words = refused(client.update_function_configuration, FunctionName="f", Timeout=6)
    assert code == "ResourceConflictException"
    assert "An update is in progress" in words
    client.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig=brief)
    assert client.publish_version(FunctionName="f")["Version"] == "1"


def test_a_deployment_is_creating_first_and_does_not_answer_yet(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root(pending_s=FOREVER_S)
    put(endpoint, "pending-data", train=records(), validation=records(2))
    create_function(endpoint, "f")
    bedrock = endpoint.client("bedrock")
    request = rft_request("pending", bucket="pending-data", function="f")
    job = wait_for_job(bedrock, bedrock.create_model_customization_job(**request)["jobArn"])
    arn = bedrock.create_custom_model_deployment(
        modelDeploymentName="d", modelArn=job["outputModelArn"]
    )["customModelDeploymentArn"]
    found = bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn)
    assert found["status"] == "Creating"
    listed = bedrock.list_custom_model_deployments
    assert len(listed(statusEquals="Creating")["modelDeploymentSummaries"]) == 1
    assert not listed(statusEquals="Active")["modelDeploymentSummaries"]
    runtime = endpoint.client("bedrock-runtime")
    asked = {"modelId": arn, "messages": [{"role": "user", "content": [{"text": "x"}]}]}
    assert refused(runtime.converse, **asked)[0] == "ModelNotReadyException"


def test_an_openai_job_validates_its_file_waits_and_runs(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root(start=mantle.stub_command, region="us-west-2", pending_s=BRIEFLY_S)
    mantle.create_function(endpoint, "reward", mantle.REWARD)
    with OpenAI(base_url=f"{endpoint.url}/v1", api_key="x", max_retries=0) as client:
        file = client.files.create(file=("t.jsonl", mantle.records(100)), purpose="fine-tune")
        jobs = [
            client.fine_tuning.jobs.create(
                model="openai.gpt-oss-20b",
                training_file=file.id,
                extra_body={"method": mantle.method(2)},
            )
            for _ in range(2)
        ]
        assert {job.status for job in jobs} == {"validating_files"}
        seen: list[str] = ["validating_files"]

        def went_on(job: Any, *, until: str) -> bool:
            status = client.fine_tuning.jobs.retrieve(job.id).status
            if status != seen[-1]:
                seen.append(status)
            return status == until

        wait_until(lambda: went_on(jobs[1], until="queued"))
        client.fine_tuning.jobs.cancel(jobs[0].id)
        wait_until(lambda: went_on(jobs[1], until="running"))
        assert seen == ["validating_files", "queued", "running"]
        client.fine_tuning.jobs.cancel(jobs[1].id)
