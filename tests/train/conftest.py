"""Recipes and runs for the tests of the trainer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.recipe import Recipe, load_recipe
from bedrock_rft_sim.report import PageDuringRun
from bedrock_rft_sim.train.run import RunResult, rehearse
from tests.conftest import write_sums

RANDOM_LENGTH_REWARD = '''
"""Grades any answer by its text, so that groups of an untrained model are mixed."""
def lambda_handler(event, context):
    return [
        {
            "id": sample["id"],
            "aggregate_reward_score": sum(map(ord, sample["messages"][-1]["content"])) % 4 / 3,
            "metrics_list": [{"name": "answer_found", "value": 1.0, "type": "Metric"}],
        }
        for sample in event
    ]
'''


@pytest.fixture(autouse=True)
def _draws_no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the curves out of pages, two a run and each a third of its time: tests of `report`."""
    monkeypatch.setattr("bedrock_rft_sim.report.page.console_graphs", lambda *_, **__: "<svg/>")


@pytest.fixture
def mixed_reward(tmp_path: Path) -> Path:
    path = tmp_path / "mixed_reward.py"
    path.write_text(RANDOM_LENGTH_REWARD)
    return path


@pytest.fixture
def recipe_for(
    small_model: Callable[..., Path], tmp_path: Path, mixed_reward: Path
) -> Callable[..., Recipe]:
    """Return a function that makes a recipe of 4 prompts x 4 answers on an untrained model."""

    def make(*sets: str, rows: int = 24, model: str | Path | None = None) -> Recipe:
        return small_recipe(tmp_path, model or small_model("qwen3"), mixed_reward, *sets, rows=rows)

    return make


def small_recipe(
    folder: Path, model: str | Path, reward: Path, *sets: str, rows: int = 24
) -> Recipe:
    small = [
        f"local.model={model}",
        f"local.trainingData={write_sums(folder / 'train.jsonl', rows)}",
        f"local.validationData={write_sums(folder / 'validation.jsonl', 6)}",
        f"local.reward={reward}",
        "local.device=cpu",
        "local.overrides.batchSize=4",
        "local.overrides.trainingSamplePerPrompt=4",
        "local.overrides.inferenceMaxTokens=8",
        "local.overrides.evalInterval=2",
        "local.overrides.learningRate=1e-3",
        "local.checkpointInterval=2",
        "local.training.method=full",
    ]
    return load_recipe("quickstart", sets=[*small, *sets])


@pytest.fixture(scope="session")
def finished(
    small_model: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Recipe, RunResult]:
    """A small run of three steps, to be read only."""
    folder = tmp_path_factory.mktemp("finished")
    reward = folder / "mixed_reward.py"
    reward.write_text(RANDOM_LENGTH_REWARD)
    recipe = small_recipe(folder, small_model("qwen3"), reward, "local.maxSteps=3")
    return recipe, rehearse(recipe, parent=folder / "runs", observers=[PageDuringRun])


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., RunResult]:
    """Return a function that runs a recipe into a fresh folder."""

    def start(recipe: Recipe, *, name: str = "run", resume: bool = False) -> RunResult:
        return rehearse(
            recipe, parent=tmp_path / "runs", name=name, resume=resume, observers=[PageDuringRun]
        )

    return start
