"""A second opinion grades beside the trained reward, and its failure is a gap and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from bedrock_rft_sim.errors import GraderError
from bedrock_rft_sim.grader.samples import Sample
from bedrock_rft_sim.grader.second_opinions import open_second_opinions
from bedrock_rft_sim.recipe import load_recipe

SAMPLES = [
    Sample(f"s{n}", [{"role": "assistant", "content": f"#### {n}"}], "#### 1") for n in range(2)
]
LENGTH = """
def lambda_handler(event, context):
    return [{"id": s["id"], "aggregate_reward_score": 0.25} for s in event]
"""
RAISES = """
def lambda_handler(event, context):
    raise RuntimeError("the judge is asleep")
"""


def test_each_grades_under_its_name_and_one_that_fails_is_absent_and_said_once(
    tmp_path: Path,
) -> None:
    (tmp_path / "length.py").write_text(LENGTH)
    (tmp_path / "asleep.py").write_text(RAISES)
    also = f"local.alsoGrade=[gsm8k, {tmp_path / 'asleep.py'}, {tmp_path / 'length.py'}]"
    said: list[str] = []
    logs = tmp_path / "logs"
    logs.mkdir()
    recipe = load_recipe("quickstart", sets=[also, "local.reward=exact_match"])
    with open_second_opinions(recipe, log=logs.joinpath, say=said.append) as second:
        found = [second.grade(SAMPLES), second.grade(SAMPLES)]
    assert found == [[{"gsm8k": 0.0, "length": 0.25}, {"gsm8k": 1.0, "length": 0.25}]] * 2
    [words] = said
    assert "the second opinion asleep failed" in words
    assert "asleep.py" in words
    assert "the judge is asleep" in words
    assert {path.name for path in logs.iterdir()} >= {"gsm8k", "asleep", "length"}


def test_a_shipped_one_has_its_own_function_and_one_s_own_file_that_of_the_recipe(
    tmp_path: Path,
) -> None:
    named = LENGTH.replace("lambda_handler", "judge")
    for name in ("trained", "other"):
        (tmp_path / f"{name}.py").write_text(named)
    sets = [
        f"local.reward={tmp_path / 'trained.py'}",
        "local.handler=trained.judge",
        f"local.alsoGrade=[gsm8k, {tmp_path / 'other.py'}]",
    ]
    recipe = load_recipe("quickstart", sets=sets)
    with open_second_opinions(recipe, log=tmp_path.joinpath, say=pytest.fail) as second:
        assert second.grade(SAMPLES)[1] == {"gsm8k": 1.0, "other": 0.25}


def test_what_is_no_failure_of_a_reward_is_not_taken_for_one(tmp_path: Path) -> None:
    recipe = load_recipe("quickstart", sets=["local.alsoGrade=[gsm8k]"])
    with (
        open_second_opinions(recipe, log=tmp_path.joinpath, say=pytest.fail) as second,
        pytest.raises(TypeError),
    ):
        second.grade(None)  # type: ignore[arg-type]
    assert not issubclass(TypeError, GraderError)
