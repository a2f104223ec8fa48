"""Handlers in the style of those written for Bedrock run as they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bedrock_rft_sim.errors import HandlerError
from bedrock_rft_sim.grader.reply import API_GATEWAY_FORM
from bedrock_rft_sim.grader.samples import Sample

FOLDER = Path(__file__).with_name("handlers")
HANDLERS = sorted(path.stem for path in FOLDER.glob("*.py"))
ROOMY = {"memory_mb": 512}


def answered(name, answer):
    prompt = {"role": "user", "content": "What is 24 + 48?"}
    turn = {"role": "assistant", "content": answer}
    return Sample(name, [prompt, turn], {"final_answer": "72", "steps": []}, {"task_id": "t"})


RIGHT_AND_WRONG = [answered("a", "24 + 48 = 72\n#### 72"), answered("b", "#### 27")]


@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_grades_unmodified(deploy, client, name):
    if name == "judge_client":
        pytest.importorskip("boto3")
    grader = deploy(FOLDER / f"{name}.py", client=client, limits=ROOMY)
    for _ in range(2):
        assert [grade.score for grade in grader.grade(RIGHT_AND_WRONG).grades] == [1.0, 0.0]


def test_components_beside_extra_keys_are_read(deploy):
    pytest.importorskip("boto3")
    grade, _ = deploy(FOLDER / "judge_client.py", limits=ROOMY).grade(RIGHT_AND_WRONG).grades
    assert [(each.name, each.value) for each in grade.components] == [
        ("correctness", 1.0),
        ("format", 1.0),
    ]


def test_an_api_gateway_reply_is_warned_of_in_the_batch_and_once_in_the_log(deploy, tmp_path):
    log = tmp_path / "grader.log"
    grader = deploy(FOLDER / "api_gateway.py", log=log, limits={"samples_per_event": 1})
    batch = grader.grade(RIGHT_AND_WRONG)
    assert batch.warnings == (API_GATEWAY_FORM,)
    assert log.read_text().count("WARNING the reply is an API Gateway response") == 1


def test_a_plain_list_is_not_warned_of(deploy):
    assert deploy(FOLDER / "trajectories.py").grade(RIGHT_AND_WRONG).warnings == ()


def test_a_handler_that_exits_is_reported_and_the_next_container_grades(deploy, client):
    grader = deploy(FOLDER / "exits.py", client=client)
    with pytest.raises(HandlerError, match="exited with error: exit status 1"):
        grader.grade([answered("a", " ")])
    assert [grade.score for grade in grader.grade(RIGHT_AND_WRONG).grades] == [1.0, 0.0]


def test_a_handler_takes_trajectories_where_they_come(write_reward):
    """Said of the handler itself: the event that the grader sends is a list."""
    script = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import trajectories;"
        "print(json.dumps(trajectories.lambda_handler(json.load(sys.stdin), None)))"
    )
    sample = {
        "id": "a",
        "messages": [{"role": "assistant", "content": "#### 72"}],
        "reference_answer": {"final_answer": "72"},
    }
    for event in ([sample], {"trajectories": [sample]}, sample):
        done = subprocess.run(
            [sys.executable, "-B", "-c", script, str(FOLDER)],
            input=json.dumps(event),
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(done.stdout) == [{"id": "a", "aggregate_reward_score": 1.0}]
