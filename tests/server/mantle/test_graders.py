"""Graders tried before a job uses them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from openai import BadRequestError, OpenAI

from bedrock_rft_sim.server.mantle.errors import OpenAIError
from tests.server.aws_setup import create_role, zipped
from tests.server.conftest import Endpoint
from tests.server.mantle.conftest import ARN

GRADER: Any = {
    "type": "lambda",
    "lambda": {"function": "arn:aws:lambda:us-west-2:123456789012:function:reward"},
}
ITEM = {"messages": [{"role": "user", "content": "1 + 1?"}], "reference_answer": "2"}


def run(client: OpenAI, answer: str, **others: Any) -> Any:
    asked = {"grader": GRADER, "model_sample": answer, "item": ITEM, **others}
    return client.fine_tuning.alpha.graders.run(**asked)


def test_a_grader_gives_its_reward_and_parts(client: OpenAI) -> None:
    result = run(client, "It is 2.")
    assert result.reward == 1.0
    assert result.sub_rewards == {"accuracy": 0.5}
    assert not any(flag for flag in result.metadata.errors.model_dump().values())
    assert result.metadata.type == "lambda"
    assert run(client, "It is 3.").reward == 0.0


def test_a_grader_that_raises_has_no_reward_and_says_why(client: OpenAI) -> None:
    result = run(client, "crash")
    assert result.reward is None
    assert result.metadata.errors.python_grader_runtime_error
    details = result.metadata.errors.python_grader_runtime_error_details
    assert "no number in sight" in details
    assert f"{GRADER['lambda']['function']}, event of 1 samples" in details


def test_a_grader_that_answers_wrongly_has_no_reward(client: OpenAI) -> None:
    result = run(client, "silent")
    assert result.reward is None
    assert result.metadata.errors.unresponsive_reward_error


def test_an_item_that_is_no_record_is_refused(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        run(client, "2", item={"question": "1 + 1?"})
    assert caught.value.param == "item"


def test_a_valid_grader_is_returned(client: OpenAI) -> None:
    result = client.fine_tuning.alpha.graders.validate(grader=GRADER)
    assert result.grader is not None


@pytest.mark.parametrize(
    "grader",
    [
        {"type": "string_check", "name": "x", "input": "a", "reference": "b", "operation": "eq"},
        {"type": "lambda"},
        {"type": "lambda", "lambda": {"function": "reward"}},
        {"type": "lambda", "lambda": {"function": GRADER["lambda"]["function"] + "s"}},
    ],
)
def test_other_graders_are_refused(client: OpenAI, grader: Any) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.fine_tuning.alpha.graders.validate(grader=grader)
    assert caught.value.type == "invalid_request_error"


def test_a_function_of_another_region_is_named(client: OpenAI, mantle: Endpoint) -> None:
    mantle.client("lambda", region="eu-west-1").create_function(
        FunctionName="reward-elsewhere",
        Runtime="python3.12",
        Role=create_role(mantle.client),
        Handler="lambda_function.lambda_handler",
        Code={"ZipFile": zipped(lambda_function="")},
    )
    grader = {"type": "lambda", "lambda": {"function": f"{ARN}-elsewhere"}}
    with pytest.raises(BadRequestError, match="in us-west-2; there is one in eu-west-1"):
        client.fine_tuning.alpha.graders.validate(grader=grader)


@pytest.mark.parametrize(
    ("asked_of", "ask"),
    [
        ("graders.resolved", lambda client: run(client, "2")),
        (
            "graders.resolved",
            lambda client: client.fine_tuning.alpha.graders.validate(grader=GRADER),
        ),
        (
            "inference.local_model",
            lambda client: client.chat.completions.create(
                model="x", messages=[{"role": "user", "content": "y"}]
            ),
        ),
        ("inference.local_model", lambda client: client.responses.create(model="x", input="y")),
    ],
    ids=["run", "validate", "chat", "responses"],
)
def test_a_lock_that_one_request_waits_for_holds_up_no_other(
    client: OpenAI, monkeypatch: pytest.MonkeyPatch, asked_of: str, ask: Any
) -> None:
    waiting, may_go_on = threading.Event(), threading.Event()

    def locked(*_: object) -> None:
        waiting.set()
        may_go_on.wait(30)
        raise OpenAIError("enough")

    monkeypatch.setattr(f"bedrock_rft_sim.server.mantle.{asked_of}", locked)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(ask, client)
        try:
            assert waiting.wait(30)
            client.files.list(timeout=10)
        finally:
            may_go_on.set()
        with pytest.raises(BadRequestError, match="enough"):
            asked.result()
