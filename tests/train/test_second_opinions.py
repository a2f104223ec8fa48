"""A run with second opinions trains as one without, and records what they say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.data import Row
from bedrock_rft_sim.errors import HandlerError, RunFolderError
from bedrock_rft_sim.grader import Grader
from bedrock_rft_sim.grader.reward import RewardFile
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs import Run
from bedrock_rft_sim.runs.rollouts import Rollout
from bedrock_rft_sim.train.reward import preflight
from bedrock_rft_sim.train.run import RunResult

TENTH = """
def lambda_handler(event, context):
    return [{"id": s["id"], "aggregate_reward_score": len(s["messages"][-1]["content"]) / 10}
            for s in event]
"""
TIRES = """
calls = 0
def lambda_handler(event, context):
    global calls
    calls += 1
    if calls > 2:
        raise RuntimeError("enough")
    return [{"id": s["id"], "aggregate_reward_score": 1.0} for s in event]
"""
CLOCK = {"local_seconds", "local_tokens_per_second", "local_peak_memory_mb"}


def trained_numbers(line: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in line.items()
        if name not in CLOCK and "latency" not in name and "also_graded" not in name
    }


def without(rollouts: list[Rollout]) -> list[tuple[Any, ...]]:
    return [(r.text, r.grade, r.advantage, r.logprob, r.entropy, r.kl) for r in rollouts]


def test_the_trained_numbers_stay_and_the_others_stand_beside_them(
    recipe_for: Callable[..., Recipe],
    run: Callable[..., RunResult],
    finished: tuple[Recipe, RunResult],
    tmp_path: Path,
) -> None:
    (tmp_path / "tenth.py").write_text(TENTH)
    (tmp_path / "tires.py").write_text(TIRES)
    also = f"local.alsoGrade=[{tmp_path / 'tenth.py'}, {tmp_path / 'tires.py'}]"
    recipe = recipe_for("local.maxSteps=3", also)
    found, plain = Run.open(run(recipe).folder), Run.open(finished[1].folder)
    assert [*map(trained_numbers, found.lines)] == [*map(trained_numbers, plain.lines)]
    for step, rollouts in found.rollouts():
        assert without(rollouts) == without(plain.read_rollouts(step))
        tenths = [len(each.text) / 10 for each in rollouts]
        assert [each.also_graded["tenth"] for each in rollouts if each.also_graded] == tenths
        line = next(line for line in found.lines if line["step"] == step)
        assert line["local_also_graded"]["tenth"] == pytest.approx(sum(tenths) / len(tenths))
        assert "tires" not in line["local_also_graded"]
    assert found.lines[0]["local_validation_also_graded"].keys() == {"tenth", "tires"}
    assert found.lines[2]["local_validation_also_graded"].keys() == {"tenth"}
    told = [event["message"] for event in found.folder.read_events() if event["level"] == "warn"]
    assert [words for words in told if "tires failed" in words and "enough" in words]
    assert "The second opinion tires is missing at 3 of 3 steps" in told
    assert found.record["second_opinions"].keys() == {"tenth", "tires"}
    assert (found.folder.path / "grader-tires.log").is_file()
    assert "tenth" in json.dumps(found.resolved["local"]["alsoGrade"])

    (tmp_path / "tenth.py").write_text(TENTH + "# changed\n")
    with pytest.raises(RunFolderError, match="the second opinion is not the one"):
        run(recipe, resume=True)


def test_one_that_can_t_grade_ends_the_run_before_the_model_is_loaded(
    recipe_for: Callable[..., Recipe], run: Callable[..., RunResult], tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text("def lambda_handler(event, context): raise OSError('no')")
    recipe = recipe_for("local.maxSteps=1", f"local.alsoGrade=[{tmp_path / 'broken.py'}]")
    with pytest.raises(HandlerError, match=r"broken\.py.*\n?.*no"):
        run(recipe)
    assert Run.open(tmp_path / "runs" / "run").status == "Failed"


def test_a_reward_that_reads_only_boxes_is_not_said_to_read_no_reference(tmp_path: Path) -> None:
    rows = [Row("a", ({"role": "user", "content": "?"},), "#### 7", {}, source="f", line=1)]
    found = []
    for mark in ("boxed{7}", "else"):
        score = f'float("{mark}" in s["messages"][-1]["content"])'
        reward = tmp_path / "own.py"
        reward.write_text(TENTH.replace('len(s["messages"][-1]["content"]) / 10', score))
        with Grader(RewardFile(reward)) as grader:
            found.append(preflight(grader, rows))
    assert found[0] is None
    assert str(found[1]).startswith("the reward gives 1 of 1 reference answers no credit")
