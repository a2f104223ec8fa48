"""A reward that asks a judge on bedrock-runtime reaches the endpoint's models, also in a job."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.jobs import Jobs, rehearsal_command
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.server.inference import ModelAnswer, ModelRequest
from bedrock_rft_sim.server.mapping import Limits, ModelMapping, StandIn
from bedrock_rft_sim.server.session import own_token
from bedrock_rft_sim.server.state import ServerState
from tests.jobs.conftest import BEDROCK, wait_until
from tests.server.aws_setup import create_function, put, records, rft_request, wait_for_job
from tests.server.conftest import Endpoint
from tests.server.console.test_requests import read

TRAINING_S = 240.0
"""What a real training may take on a busy machine."""
JUDGED_REWARD = """
import boto3

judge = boto3.client("bedrock-runtime")
calls = 0

def lambda_handler(event, context):
    global calls
    calls += 1
    if calls == FAILING:
        raise RuntimeError("the judge is busy")
    return [{"id": one["id"], "aggregate_reward_score": score(one)} for one in event]

def score(one):
    asked = [{"role": "user", "content": [{"text": one["messages"][-1]["content"]}]}]
    said = judge.converse(modelId="acme.judge", messages=asked)["output"]["message"]["content"]
    return float(said[0]["text"])
"""


class Judge:
    """A judge in the place of the endpoint's models: it likes answers of an even length."""

    def __init__(self) -> None:
        self.asks: list[ModelRequest] = []

    @staticmethod
    def grade(text: str) -> float:
        return 1.0 if len(text) % 2 == 0 else 0.0

    async def answer(self, ask: ModelRequest) -> ModelAnswer:
        self.asks.append(ask)
        return ModelAnswer(str(self.grade(ask.messages[-1]["content"])), "stop", None, 7, 3)

    def close(self) -> None:
        """Nothing runs."""


def serve_judge(serve_root: Callable[..., Endpoint], *, failing: int = 0) -> tuple[Endpoint, Judge]:
    """Serve with a judge and a reward that asks it, whose n-th call fails."""
    judge = StandIn(model="/models/judge")
    limits = Limits(trainingSamplePerPrompt=2, inferenceMaxTokens=8)
    mapping = ModelMapping(default=StandIn(maxSteps=2, limits=limits), models={"acme.judge": judge})
    endpoint = serve_root(mapping=mapping, start=rehearsal_command)
    endpoint.state.models = Judge()  # type: ignore[assignment]
    code = JUDGED_REWARD.replace("FAILING", str(failing))
    create_function(endpoint, "judged", code, Timeout=60)
    return endpoint, endpoint.state.models  # type: ignore[return-value]


def test_an_invoked_reward_is_answered_by_the_model_that_the_mapping_names(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint, judge = serve_judge(serve_root)
    event = [{"id": "a", "messages": [{"role": "assistant", "content": "four"}]}]
    invoke = endpoint.client("lambda").invoke
    answer = json.load(invoke(FunctionName="judged", Payload=json.dumps(event))["Payload"])
    assert answer == [{"id": "a", "aggregate_reward_score": 1.0}]
    assert [ask.model for ask in judge.asks] == ["/models/judge"]


@pytest.mark.slow
def test_a_job_is_graded_by_its_judge_and_says_which_calls_failed(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint, judge = serve_judge(serve_root, failing=3)
    put(endpoint, "judged", train=records(), validation=records(3))
    client = endpoint.client("bedrock")
    request = rft_request("judged", bucket="judged", function="judged")
    arn = client.create_model_customization_job(**request)["jobArn"]
    job = wait_for_job(client, arn, patience_s=TRAINING_S)
    assert job["status"] == "Completed", job.get("failureMessage")
    job_id = job["jobArn"].rpartition("/")[2]
    folder = RunFolder.open(endpoint.state.jobs.get(job_id).folder)
    answers = [answer for step in (1, 2) for answer in folder.read_rollouts(step)]
    assert len(answers) == 2 * 16 * 2
    assert [each.grade for each in answers] == [judge.grade(each.text) for each in answers]
    assert {ask.model for ask in judge.asks} == {"/models/judge"}
    said = "of 64 samples failed: 1 x RuntimeError. Their calls were repeated."
    events = [event["message"] for event in folder.read_events() if event["level"] == "warn"]
    assert any(said in each for each in events)
    assert said in job["ResponseMetadata"]["HTTPHeaders"]["x-rft-rehearsal"]
    shown = read(endpoint, f"/console/jobs/{job_id}")
    assert any(said in verdict["says"] for verdict in shown["verdicts"])


@pytest.mark.slow
def test_a_job_whose_reward_always_fails_ends_with_what_the_handler_said(
    serve_root: Callable[..., Endpoint],
) -> None:
    endpoint, _ = serve_judge(serve_root)
    broken = JUDGED_REWARD.replace("float(", "float('no number: ' + ")
    create_function(endpoint, "broken", broken.replace("FAILING", "0"), Timeout=60)
    put(endpoint, "judged", train=records(), validation=records(3))
    client = endpoint.client("bedrock")
    request = rft_request("judged", bucket="judged", function="broken")
    arn = client.create_model_customization_job(**request)["jobArn"]
    said = wait_for_job(client, arn, patience_s=TRAINING_S)["failureMessage"]
    assert "could not convert string to float: 'no number: " in said
    assert "arn:aws:lambda:us-east-1:123456789012:function:broken, event of " in said
    assert "lambda_function.py" in said
    assert str(endpoint.state.root) not in said


def test_a_job_that_waited_for_a_restart_is_given_the_endpoint_s_own_token(tmp_path: Path) -> None:
    root, seen = tmp_path / "root", tmp_path / "seen"
    jobs = Jobs(root)
    jobs.create(BEDROCK, {}, name="waits", request={})
    jobs.close()
    note = f"import os; open({str(seen)!r}, 'w').write(os.environ['AWS_ACCESS_KEY_ID'])"
    with ServerState(root, start=lambda *_: [sys.executable, "-c", note], makes_token=True):
        wait_until(lambda: seen.exists() and bool(seen.read_text()))
    assert seen.read_text() == own_token(root)
