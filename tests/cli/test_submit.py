"""The verbs of the cloud where something stands in the way, or nothing is asked of AWS."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.cli import main
from bedrock_rft_sim.cloud import account, prepared
from bedrock_rft_sim.diagnosis import check as checking
from bedrock_rft_sim.diagnosis.check import RecipeCheck, check
from tests.cloud.submissions import fake_aws, submission

SUBMIT = ["submit", "quickstart", "--set", "local.trainingData=problems:100", "--rows", "2"]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return an account in memory that the verbs find in the place of AWS."""
    made = fake_aws(submission())
    monkeypatch.setattr(account, "open_aws", lambda _region: made.aws())
    monkeypatch.chdir(tmp_path)
    return made


@cache
def checked() -> RecipeCheck:
    return check(submission().recipe)


@pytest.fixture
def audited_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the audit, which other tests have, and make zip and proof once."""
    monkeypatch.setattr(checking, "check", lambda recipe, **_: replace(checked(), recipe=recipe))
    made = submission()
    monkeypatch.setattr(prepared, "prepare", lambda recipe, *_, **__: replace(made, recipe=recipe))


@pytest.mark.usefixtures("audited_before")
def test_a_plan_changes_nothing_and_its_blockers_are_exit_code_1(
    fake: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([*SUBMIT, "--plan"]) == 1
    printed = capsys.readouterr().out
    assert "blocked  there is no role BedrockRFTRole; --create-role makes it" in printed
    assert "training hours             unknown" in printed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("fake")
def test_data_that_make_no_step_of_the_request_are_no_job(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    idle = replace(checked(), estimate=replace(checked().estimate, job=None))
    monkeypatch.setattr(checking, "check", lambda recipe, **_: replace(idle, recipe=recipe))
    assert main([*SUBMIT, "--plan"]) == 1
    said = capsys.readouterr()
    assert "the job would train nothing" in said.err
    assert "not one step of the request's batch size, 16" in said.err
    assert said.out == ""


@pytest.mark.usefixtures("audited_before")
def test_nobody_to_ask_is_wrong_usage_and_no_is_no(
    fake: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert main([*SUBMIT, "--create-role"]) == 2
    assert "--yes, or a terminal" in capsys.readouterr().err
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys.stdin, "readline", lambda: "n\n", raising=False)
    assert main([*SUBMIT, "--create-role"]) == 1
    assert fake.roles == {}
    assert not Path("cloud").exists()  # whoever did nothing leaves nothing


@pytest.mark.usefixtures("audited_before")
def test_a_second_submission_names_the_job_and_another_request_is_refused(
    fake: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    arns = []
    for _ in range(2):
        assert main([*SUBMIT, "--create-role", "--yes", "--json"]) == 0
        arns.append(json.loads(capsys.readouterr().out)["job_arn"])
    assert arns[0] == arns[1]
    assert fake.bought == 1
    model = ["--set", "customModelName=another"]
    assert main([*SUBMIT, *model, "--create-role", "--yes"]) == 1
    assert "submitted with another request" in capsys.readouterr().err


def test_a_recipe_that_fails_its_check_is_never_sent(
    fake: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    zero = tmp_path / "zero.py"
    zero.write_text(
        "def lambda_handler(event, context):\n"
        "    return [{'id': s['id'], 'aggregate_reward_score': 0.0} for s in event]\n"
    )
    assert main([*SUBMIT, "--set", f"local.reward={zero}", "--yes"]) == 1
    assert "verdict  not ready" in capsys.readouterr().err
    assert fake.calls == []


def test_what_was_not_submitted_here_is_not_cleaned(
    fake: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["clean", "nothing", "--yes"]) == 1
    assert "nothing was submitted here under this name" in capsys.readouterr().err


def test_without_boto3_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    assert main(["pull", "nothing"]) == 1
    assert "bedrock-rft-sim[aws]" in capsys.readouterr().err
