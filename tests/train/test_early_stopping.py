"""A run ends once validation stops gaining, says why, and resumes to the same end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.cli.run import _summary
from bedrock_rft_sim.data.plan import steps
from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe import Recipe, load_recipe, parse_recipe
from bedrock_rft_sim.recipe.local import EarlyStopping
from bedrock_rft_sim.recipe.shipped import find_recipe
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.train.early_stopping import early_stop
from bedrock_rft_sim.train.run import RunResult

IMPOSSIBLE_GAIN = "local.earlyStopping={patience: 2, minGain: 1.0}"


def shipped(name: str) -> str:
    return find_recipe(name).read_text()


def without(text: str, key: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if key not in line)


def lines(*rewards: float | None) -> list[dict[str, float]]:
    """Metric lines of a run that validates every second step."""
    return [
        {"step": step} if reward is None else {"step": step, "validation_rewards_mean": reward}
        for step, reward in enumerate(rewards)
    ]


@pytest.mark.parametrize(
    ("rewards", "stop"),
    [
        ((0.1, 0.2, 0.3, 0.4), None),
        ((0.5, 0.5, 0.5), (2, 0)),
        ((0.5, 0.4, 0.6, 0.6, 0.6), (4, 2)),
        ((0.5, None, 0.4, None, 0.3), (4, 0)),
        ((None, None, None), None),
    ],
)
def test_validations_without_a_gain_are_counted_from_the_best_one(rewards, stop) -> None:
    found = early_stop(lines(*rewards), EarlyStopping(patience=2, minGain=0.0))
    assert (None if found is None else (found.step, found.best_step)) == stop


def test_a_gain_of_exactly_the_minimum_is_no_gain() -> None:
    rule = EarlyStopping(patience=1, minGain=0.25)
    assert early_stop(lines(0.25, 0.5), rule) is not None
    assert early_stop(lines(0.25, 0.75), rule) is None


def test_without_the_section_nothing_stops() -> None:
    assert early_stop(lines(*[0.0] * 50), None) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.integers(1, 4))
def test_the_rule_never_fires_while_the_last_validation_is_the_best(rewards, patience) -> None:
    rising = sorted(set(rewards))
    assert early_stop(lines(*rising), EarlyStopping(patience=patience, minGain=0.0)) is None


def test_aws_s_own_numbers_are_the_defaults() -> None:
    recipe = load_recipe("quickstart", sets=["local.earlyStopping={}"])
    stated = recipe.local.earlyStopping
    assert stated is not None
    assert (stated.patience, stated.minGain) == (3, 0.0)
    assert load_recipe("quickstart").local.earlyStopping is None


def test_a_run_without_a_gain_completes_early_and_says_why(
    recipe_for: Callable[..., Recipe], run: Callable[..., RunResult]
) -> None:
    result = run(recipe_for(IMPOSSIBLE_GAIN, rows=48))
    folder = RunFolder.open(result.folder)
    record = folder.read_record()
    assert (result.status, result.step, result.total_steps) == ("Completed", 4, 12)
    assert record["early_stopping"]["step"] == 4
    assert record["early_stopping"]["best_step"] == 0
    assert "early stopping after step 4: 2 validations in a row" in "\n".join(_summary(result))
    assert any("early stopping" in event["message"] for event in folder.read_events())
    assert folder.validation_steps()[-1] == folder.checkpoint_steps()[-1] == 4
    assert (folder.model / "model.safetensors").is_file()


def test_a_run_killed_after_it_stopped_early_ends_the_same_way(
    recipe_for: Callable[..., Recipe], run: Callable[..., RunResult]
) -> None:
    recipe = recipe_for(IMPOSSIBLE_GAIN, rows=48)
    whole = run(recipe)
    weights = whole.folder / "model" / "model.safetensors"
    trained = weights.read_bytes()
    weights.unlink()
    record = json.loads((whole.folder / "run.json").read_text())
    del record["early_stopping"]
    (whole.folder / "run.json").write_text(json.dumps({**record, "status": "InProgress"}))
    resumed = run(recipe, resume=True)
    assert (resumed.status, resumed.step) == ("Completed", 4)
    assert resumed.early_stopping == whole.early_stopping
    assert weights.read_bytes() == trained


def test_a_run_that_reaches_its_last_step_did_not_stop_early(
    recipe_for: Callable[..., Recipe], run: Callable[..., RunResult]
) -> None:
    result = run(recipe_for("local.maxSteps=4", IMPOSSIBLE_GAIN))
    assert (result.step, result.early_stopping) == (4, None)


def test_early_stopping_without_validation_is_refused(
    run: Callable[..., RunResult], write_rows: Callable[..., Path]
) -> None:
    text = without(shipped("quickstart"), "validationDataConfig")
    sets = [IMPOSSIBLE_GAIN, f"local.trainingData={write_rows(24)}"]
    recipe = parse_recipe(text, name="unvalidated.yaml", sets=sets)
    with pytest.raises(RecipeError, match="no validation reward to watch"):
        run(recipe)


@pytest.mark.parametrize(("prompts", "interval"), [(16 * 30, 10), (16 * 4, 4), (17, 1)])
def test_an_eval_interval_left_out_is_at_most_ten_and_at_most_an_epoch(prompts, interval) -> None:
    recipe = parse_recipe(without(shipped("quickstart"), "evalInterval"), name="unsaid.yaml")
    assert recipe.provenance["eval_interval"].origin == "documented"
    assert steps(prompts, recipe.settings, validates=True).validations[1] == interval
