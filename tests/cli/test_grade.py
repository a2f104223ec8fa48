from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.cli import main
from bedrock_rft_sim.recipe import load_recipe
from tests.run_folders import answer, group, write_run

ANSWERS = [
    {"id": "a", "prompt": "How many?", "answer": "#### 7", "reference_answer": "#### 7"},
    {"id": "b", "prompt": "How many?", "answer": "seven\x1b[31m", "reference_answer": "#### 7"},
]
ALWAYS_ONE = (
    "def lambda_handler(event, context):\n"
    "    return [{'id': s['id'], 'aggregate_reward_score': 1.0} for s in event]\n"
)


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in ANSWERS))
    return path


@pytest.fixture
def always_one(tmp_path: Path) -> Path:
    path = tmp_path / "always_one.py"
    path.write_text(ALWAYS_ONE)
    return path


def test_grade_prints_scores_and_where_two_rewards_differ(
    answers: Path, always_one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grade", str(answers), "--reward", "gsm8k", "--reward", str(always_one)]) == 0
    printed = capsys.readouterr()
    assert "2 of 2 answers scored: mean 0.5" in printed.out
    assert "b: 0 against 1: 'seven\\x1b[31m'" in printed.out
    assert "\x1b" not in printed.out
    assert "graded 2 answers" in printed.err


def test_grade_prints_json_for_programs(
    answers: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "scores.jsonl"
    assert main(["grade", str(answers), "--reward", "gsm8k", "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rewards"][0]["mean"] == 0.5
    assert found["replay"] == []
    scores = [json.loads(line)["scores"] for line in out.read_text().splitlines()]
    assert scores == [{"gsm8k": 1.0}, {"gsm8k": 0.0}]


def test_a_reward_that_fails_on_an_answer_is_a_finding(
    answers: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    reward = tmp_path / "strict.py"
    reward.write_text(
        ALWAYS_ONE.replace("    return", "    assert 'seven' not in str(event)\n    return")
    )
    assert main(["grade", str(answers), "--reward", str(reward)]) == 1
    printed = capsys.readouterr().out
    assert "1 of 2 answers scored" in printed
    assert "NO SCORE: 1 x raises, first b" in printed


@pytest.fixture
def saved_run(tmp_path: Path, write_rows: Callable[..., Path]) -> Path:
    """Write a run of 45 steps of one prompt, whose two answers were graded 1 and 0."""
    sources = [f"local.{name}Data={write_rows(1)}" for name in ("training", "validation")]
    recipe = load_recipe("quickstart", sets=sources)
    graded = [("#### 3", 1.0), ("#### 4", 0.0)]
    with write_run(
        tmp_path / "runs",
        recipe=recipe,
        rollouts={step: group(step, "sum-000", graded) for step in range(1, 46)},
        validations={45: [answer(45, "sum-000", "#### 3", 1.0)]},
    ) as folder:
        return folder.path


def test_a_run_is_told_what_another_reward_would_have_changed(
    saved_run: Path, always_one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grade", str(saved_run), "--reward", str(always_one), "--validation"]) == 0
    printed = capsys.readouterr().out
    assert "mean reward           0.5 -> 1" in printed
    assert "zero-variance groups  0 -> 1" in printed
    assert "sign flipped for 0 of the rollouts" in printed
    assert "of 45 steps some are shown" in printed
    assert "step   45  reward 0.5 -> 1  mixed 1 -> 0" in printed
    assert printed.count("  step ") == 16
    assert "validation after step 45  reward 1 -> 1" in printed


def test_a_source_that_is_not_there_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    scores = ["--out", str(tmp_path / "scores.jsonl")]
    assert main(["grade", str(tmp_path / "none.jsonl"), "--reward", "gsm8k", *scores]) == 2
    assert "none.jsonl" in capsys.readouterr().err
    assert not list(tmp_path.glob("scores.jsonl*"))


def test_the_source_is_never_written_over(
    answers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = answers.read_text()
    assert main(["grade", str(answers), "--reward", "gsm8k", "--out", str(answers)]) == 2
    assert answers.read_text() == before
    assert "the source itself" in capsys.readouterr().err


def test_a_score_file_that_can_not_be_written_is_one_message(
    answers: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "none" / "scores.jsonl"
    assert main(["grade", str(answers), "--reward", "gsm8k", "--out", str(out)]) == 2
    assert "can't write the scores" in capsys.readouterr().err
