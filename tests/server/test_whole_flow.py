"""The published boto3 flow from bucket to tuned model, with a real training that really teaches."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.data.problems import Problem, generate, to_record
from bedrock_rft_sim.jobs import rehearsal_command
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.server.mapping import ModelMapping, StandIn
from tests.server.aws_setup import create_function, put, rft_request
from tests.server.conftest import Endpoint
from tests.server.shared_models import shared_models

ROLE_POLICY = json.dumps({"Version": "2012-10-17", "Statement": []})
REWARD = Path(__file__).parent.parent.parent / "rewards" / "gsm8k.py"
STEPS = 16
# The steps in which tests/train sees the embedded model learn, too.
LEARNING = StandIn(maxSteps=STEPS, overrides={"batchSize": 4, "evalInterval": STEPS}, device="cpu")
UNSEEN = 32
"""Validation prompts asked of both models: one right answer more or less is 0.03."""
MARGIN = 0.1


@pytest.mark.slow
def test_the_published_flow_ends_with_a_tuned_model_that_is_better(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint = serve_root(start=rehearsal_command, mapping=ModelMapping(default=LEARNING))
    endpoint.state.models = shared_models()
    iam = endpoint.client("iam")
    role = iam.create_role(RoleName="rft-flow", AssumeRolePolicyDocument=ROLE_POLICY)["Role"]["Arn"]
    unseen = list(generate(UNSEEN, seed=0, split="validation"))
    put(endpoint, "rft-flow", train=lines(generate(100, seed=0)), validation=lines(iter(unseen)))
    create_function(endpoint, "gsm8k-reward", REWARD.read_text())
    assert reward(endpoint, [("#### 2", {"final_answer": "2"})]) == [1.0]
    bedrock = endpoint.client("bedrock")
    request = rft_request(
        "flow",
        bucket="rft-flow",
        function="gsm8k-reward",
        roleArn=role,
        customizationConfig={
            "rftConfig": {
                "graderConfig": {"lambdaGrader": {"lambdaArn": function_arn("gsm8k-reward")}},
                "hyperParameters": {"learningRate": 1e-4, "trainingSamplePerPrompt": 8},
            }
        },
    )
    arn = bedrock.create_model_customization_job(**request)["jobArn"]
    job = wait(bedrock, arn)
    assert job["status"] == "Completed", job.get("failureMessage")
    folder = RunFolder.open(endpoint.state.jobs.get(arn.rpartition("/")[2]).folder)
    metrics = folder.read_metrics()
    assert [line["step"] for line in metrics] == list(range(STEPS + 1))
    assert folder.read_resolved()["overrides"]["batchSize"] == 4
    assert "REPORT RequestId" in folder.grader_log.read_text()
    deployment = bedrock.create_custom_model_deployment(
        modelDeploymentName="flow", modelArn=job["outputModelArn"]
    )["customModelDeploymentArn"]
    base = validation_reward(endpoint, job["baseModelArn"], unseen)
    tuned = validation_reward(endpoint, deployment, unseen)
    assert tuned > base + MARGIN
    # The endpoint's answers are those that the run itself validated on.
    assert (base, tuned) == (
        metrics[0]["validation_rewards_mean"],
        metrics[-1]["validation_rewards_mean"],
    )


def lines(problems: Any) -> bytes:
    return "".join(json.dumps(to_record(each, shape="nova")) + "\n" for each in problems).encode()


def function_arn(name: str) -> str:
    return f"arn:aws:lambda:us-east-1:123456789012:function:{name}"


def validation_reward(endpoint: Endpoint, model: str, problems: list[Problem]) -> float:
    """Ask a model each problem, greedily, and return the mean of what the function says."""
    runtime = endpoint.client("bedrock-runtime")
    graded = []
    for problem in problems:
        record = to_record(problem, shape="nova")
        system, question = (message["content"] for message in record["messages"])
        answer = runtime.converse(
            modelId=model,
            system=[{"text": system}],
            messages=[{"role": "user", "content": [{"text": question}]}],
            inferenceConfig={"maxTokens": 96, "temperature": 0.0},
        )
        text = answer["output"]["message"]["content"][0]["text"]
        graded.append((text, record["reference_answer"]))
    scores = reward(endpoint, graded)
    return sum(scores) / len(scores)


def reward(endpoint: Endpoint, graded: list[tuple[str, dict[str, Any]]]) -> list[float]:
    """Invoke the function with a test payload of answers and references."""
    payload = [
        {
            "id": str(number),
            "messages": [{"role": "assistant", "content": text}],
            "reference_answer": reference,
        }
        for number, (text, reference) in enumerate(graded)
    ]
    reply = endpoint.client("lambda").invoke(
        FunctionName="gsm8k-reward", Payload=json.dumps(payload)
    )
    return [each["aggregate_reward_score"] for each in json.loads(reply["Payload"].read())]


def wait(bedrock: Any, arn: str) -> dict[str, Any]:
    for _ in range(600):
        found: dict[str, Any] = bedrock.get_model_customization_job(jobIdentifier=arn)
        if found["status"] != "InProgress":
            return found
        time.sleep(0.3)
    raise AssertionError("the training did not end")
