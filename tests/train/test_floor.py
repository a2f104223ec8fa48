"""A run records the floor of its reward when it starts, or why it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.grader.audit.plan import AuditSettings
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs import Run
from bedrock_rft_sim.train import run as running
from bedrock_rft_sim.train.record import Rehearsal
from bedrock_rft_sim.train.run import RunResult

COUNTS = """
import pathlib
def lambda_handler(event, context):
    return [{"id": s["id"], "aggregate_reward_score": 1.0 if "####" in
             s["messages"][-1]["content"] else 0.0} for s in event]
"""


def test_it_is_measured_once_in_a_container_of_its_own(
    recipe_for: Callable[..., Recipe],
    run: Callable[..., RunResult],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "STEPS_MIN", 2)
    (tmp_path / "marker.py").write_text(COUNTS)
    recipe = recipe_for("local.maxSteps=2", f"local.reward={tmp_path / 'marker.py'}")
    found = Run.open(run(recipe).folder)
    assert (found.floor, found.record["floor"]["rows"]) == (1.0, 24)
    assert found.record["floor"]["strategies"] > 100
    assert "####" in found.record["floor"]["strategy"]
    logged = found.folder.grader_log.read_text().count("START RequestId")
    assert logged == 1 + 2 + 2  # the first references, two steps, two validations
    assert AuditSettings().samples >= 24

    monkeypatch.setattr(running, "floor_within", None)  # a resumed run does not measure it again
    again = Run.open(run(recipe, resume=True).folder)
    assert again.record["floor"] == found.record["floor"]


@pytest.mark.parametrize(
    ("source", "sets", "why"),
    [
        (COUNTS + "# bedrock-runtime", (), "may ask a judge"),
        (COUNTS, ("local.lambda.environment.OPENAI_API_KEY=abc",), "may ask a judge"),
        (COUNTS, ("local.maxSteps=1",), "a run of 1 steps"),
        (COUNTS, (), "too slow"),
    ],
)
def test_where_it_is_left_out_the_record_says_why(
    recipe_for: Callable[..., Recipe],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    sets: tuple[str, ...],
    why: str,
) -> None:
    (tmp_path / "marker.py").write_text(source)
    own = (
        "local.maxSteps=12",
        "local.overrides.epochCount=3",
        f"local.reward={tmp_path / 'marker.py'}",
    )
    recipe = recipe_for("local.maxSteps=12", *own, *sets)
    monkeypatch.setattr(running, "FLOOR_S", 0)
    data = plan.read_data(recipe, load_tokenizer(recipe.model))
    steps = plan.steps(24, recipe.settings, validates=False)
    rehearsal = Rehearsal(recipe, data, steps, None, None, print)  # type: ignore[arg-type]
    assert why in running._floor(rehearsal)["left_out"]
