"""The published boto3 flow from bucket to tuned model, with one real training of two steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sim.jobs import rehearsal_command
from sim.runfolder import RunFolder
from sim.server.mapping import Limits, ModelMapping, StandIn
from tests.server.asking import create_function, put, records, rft_request
from tests.server.conftest import Endpoint

ROLE_POLICY = json.dumps({"Version": "2012-10-17", "Statement": []})
REWARD = Path(__file__).parent.parent.parent / "rewards" / "gsm8k.py"
TINY = StandIn(
    maxSteps=2,
    limits=Limits(maxPromptLength=128, inferenceMaxTokens=8, trainingSamplePerPrompt=2),
    overrides={"batchSize": 2, "evalInterval": 2},
    device="cpu",
)


def test_the_published_flow_ends_with_a_tuned_model_that_answers(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root(start=rehearsal_command, mapping=ModelMapping(TINY))
    iam = endpoint.client("iam")
    role = iam.create_role(RoleName="rft-flow", AssumeRolePolicyDocument=ROLE_POLICY)["Role"]["Arn"]
    put(endpoint, "rft-flow", train=records(), validation=records(2))
    create_function(endpoint, "gsm8k-reward", REWARD.read_text())
    payload = [
        {
            "id": "a",
            "messages": [
                {"role": "user", "content": "What is 1 + 1?"},
                {"role": "assistant", "content": "#### 2"},
            ],
            "reference_answer": {"final_answer": "2"},
        }
    ]
    tested = endpoint.client("lambda").invoke(
        FunctionName="gsm8k-reward", Payload=json.dumps(payload)
    )
    assert json.loads(tested["Payload"].read())[0]["aggregate_reward_score"] == 1.0
    bedrock = endpoint.client("bedrock")
    request = rft_request("flow", bucket="rft-flow", function="gsm8k-reward", roleArn=role)
    arn = bedrock.create_model_customization_job(**request)["jobArn"]
    job = _wait(endpoint, bedrock, arn)
    assert job["status"] == "Completed", job.get("failureMessage")
    folder = RunFolder.open(endpoint.state.jobs.get(arn.rpartition("/")[2]).folder)
    assert [line["step"] for line in folder.read_metrics()] == [0, 1, 2]
    assert folder.read_resolved()["overrides"]["batchSize"] == 2
    assert "REPORT RequestId" in folder.grader_log.read_text()
    deployment = bedrock.create_custom_model_deployment(
        modelDeploymentName="flow", modelArn=job["outputModelArn"]
    )["customModelDeploymentArn"]
    answer = endpoint.client("bedrock-runtime").converse(
        modelId=deployment,
        messages=[{"role": "user", "content": [{"text": "What is 1 + 1?"}]}],
        inferenceConfig={"maxTokens": 4, "temperature": 0.0},
    )
    assert answer["output"]["message"]["role"] == "assistant"
    assert answer["usage"]["outputTokens"] <= 4


def _wait(endpoint: Endpoint, bedrock: Any, arn: str) -> dict[str, Any]:
    import time

    for _ in range(600):
        found: dict[str, Any] = bedrock.get_model_customization_job(jobIdentifier=arn)
        if found["status"] != "InProgress":
            return found
        time.sleep(0.3)
    raise AssertionError("the training did not end")
