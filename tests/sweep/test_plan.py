"""The points a sweep asks for: their recipes, their names, and what is refused before a step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.errors import DataError, RecipeError
from bedrock_rft_sim.recipe import load_recipe, parse_recipe
from bedrock_rft_sim.recipe.reader import read_document
from bedrock_rft_sim.sweep import read_sweep
from bedrock_rft_sim.sweep.file import Axis, Range
from bedrock_rft_sim.sweep.plan import SweepPlan, as_yaml, described_changes
from tests.sweep.conftest import BATCH, RATE, SAMPLES

Planned = Callable[[str], SweepPlan]

KEYS = st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1, max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=("C",)), max_size=12)
    | st.sampled_from(["1e-5", "0x10", "no", "~", "null", "a: b", "- a", "#", "2026-01-01", ""])
)
PLAIN = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=3)
)


@given(st.dictionaries(KEYS, PLAIN, max_size=4))
def test_what_is_written_as_yaml_is_read_back_unchanged(data: dict[str, Any]):
    read = read_document(as_yaml(data), name="written").data
    assert (read or {}) == data


def test_one_factor_is_the_centre_and_single_changes(plan: Planned):
    found = plan(f"axes: {{{RATE}: [1e-5, 1e-4, 1e-3], {BATCH}: [16, 32]}}").settings()
    assert found == [{}, {RATE: 1e-5}, {RATE: 1e-3}, {BATCH: 32}]


def test_a_grid_is_the_full_product_and_always_holds_the_centre(plan: Planned):
    found = plan(f"mode: grid\naxes: {{{RATE}: [1e-5, 1e-4], {BATCH}: [16, 32]}}").settings()
    assert found == [{}, {RATE: 1e-5}, {RATE: 1e-5, BATCH: 32}, {BATCH: 32}]
    found = plan(f"mode: grid\naxes: {{{RATE}: [1e-5, 1e-3]}}").settings()
    assert found == [{}, {RATE: 1e-5}, {RATE: 1e-3}]


def test_a_point_s_recipe_is_the_base_recipe_with_its_values(plan: Planned, tmp_path: Path):
    point = plan(f"axes: {{{RATE}: [1e-5]}}\nset: {{local.maxSteps: 20}}").point({RATE: 1e-5}, 7)
    path = tmp_path / "point.yaml"
    path.write_text(point.recipe.text)
    read, base = load_recipe(path), load_recipe("quickstart")
    assert read.settings.learning_rate == 1e-5
    assert (read.settings.seed, read.settings.max_steps) == (7, 20)
    assert read.request["roleArn"] == base.request["roleArn"]
    assert point.name == f"learningRate-1e-05_seed-7_{point.identity[:12]}"
    assert described_changes(point.changes) == "learningRate 1e-05"


def test_relative_files_of_the_recipe_and_of_the_sweep_are_found_from_where_each_stands(
    tmp_path: Path, write_rows: Callable[..., Path]
):
    (tmp_path / "base").mkdir()
    (tmp_path / "asked").mkdir()
    write_rows(40, "base/rows.jsonl")
    for name in ("base/mine.py", "asked/other.py"):
        (tmp_path / name).write_text("def lambda_handler(event, context): return []\n")
    base = load_recipe("quickstart").text.replace("problems:720", "rows.jsonl")
    local = "reward: ./mine.py\n  validationData: rows.jsonl\n  alsoGrade: [gsm8k, ./mine.py] "
    base = base.replace("reward: gsm8k ", local)
    (tmp_path / "base" / "recipe.yaml").write_text(base)
    asked = tmp_path / "asked" / "sweep.yaml"
    asked.write_text("recipe: ../base/recipe.yaml\naxes: {local.reward: [./other.py]}\n")
    plan = SweepPlan(read_sweep(asked), tmp_path / "far" / "out")
    centre, other = plan.point({}, 0).recipe, plan.point({"local.reward": "./other.py"}, 0).recipe
    assert centre.training_source == tmp_path / "base" / "rows.jsonl"
    assert centre.reward_path == tmp_path / "base" / "mine.py"
    assert other.reward_path == tmp_path / "asked" / "other.py"
    assert other.second_opinions["mine"] == tmp_path / "base" / "mine.py"
    before = plan.point({"local.reward": "./other.py"}, 0).identity
    (tmp_path / "base/mine.py").write_text("def lambda_handler(event, context): return None\n")
    assert plan.point({"local.reward": "./other.py"}, 0).identity != before


REFUSED = {
    f"axes: {{{RATE}: [1e-5, 3e-3]}}": ("Bedrock would refuse", "learningRate", "0.003", ":2"),
    f"axes: {{{BATCH}: [4]}}": ("Bedrock would refuse", "RFTBatchSize", "allowRefused: true"),
    f"mode: search\naxes: {{{RATE}: {{low: 1e-5, high: 1e-1}}}}": ("Bedrock would refuse", "0.1"),
    "axes: {local.sede: [1]}": ("unknown key local.sede", "did you mean seed?", ":2"),
    f"axes: {{{RATE}: [fast]}}": ("learningRate", "makes no recipe", ":2"),
    f"axes: {{{RATE}.more: [1]}}": ("makes no recipe",),
    "axes: {jobName: [a, b]}": ("jobName changes nothing in a rehearsal",),
    f"axes: {{{RATE}: [1e-4]}}": ("changes nothing in a rehearsal",),
    f"axes: {{{BATCH}: [16, 32]}}\nset: {{local.overrides.batchSize: 4}}": (
        "changes nothing",
        "local.overrides.batchSize may stand in its way",
    ),
    f"axes: {{{RATE}: [1e-5]}}\nset: {{local.maxStep: 20}}": ("set", "did you mean maxSteps?"),
    f"axes: {{{RATE}: [1e-5]}}\nset: {{{BATCH}: 4}}": ("Bedrock would refuse", "local.overrides"),
    f"axes: {{{RATE}: [1e-5]}}\nconfirm: [0, 5]": ("made on", ", confirm", "other than 0", "fresh"),
    f"axes: {{{RATE}: [1e-5]}}\nseeds: [3, 4]\nconfirm: [4, 3]": ("other than 3, 4", "4, 3"),
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text.replace("\n", "; "))
def test_what_makes_no_sense_is_refused_before_a_step(text: str, plan: Planned):
    with pytest.raises(RecipeError) as error:
        plan(text)
    for word in REFUSED[text]:
        assert word in str(error.value)


def test_a_value_bedrock_refuses_is_taken_when_told_to(plan: Planned):
    made = plan(f"axes: {{{RATE}: [3e-3]}}\nallowRefused: true").point({RATE: 3e-3}, 0)
    assert made.recipe.refusals


def test_without_validation_there_is_nothing_to_compare_by(tmp_path: Path):
    text = load_recipe("quickstart").text
    base = tmp_path / "base.yaml"
    line = next(line for line in text.splitlines() if line.startswith("validationDataConfig"))
    base.write_text(text.replace(line, ""))
    asked = tmp_path / "asked.yaml"
    asked.write_text(f"recipe: base.yaml\naxes: {{{RATE}: [1e-5]}}\n")
    with pytest.raises(RecipeError, match="no validation reward to compare by"):
        SweepPlan(read_sweep(asked), tmp_path)
    asked.write_text(asked.read_text() + "metric: critic_rewards_mean\n")
    assert SweepPlan(read_sweep(asked), tmp_path).settings() == [{}, {RATE: 1e-5}]


def test_the_hash_covers_settings_seed_data_and_reward_but_not_where_they_lie(
    tmp_path: Path, write_rows: Callable[..., Path]
):
    from bedrock_rft_sim.sweep.identity import identity_of

    write_rows(40, "rows.jsonl")
    reward = tmp_path / "mine.py"
    reward.write_text("a = 1\n")
    text = load_recipe("quickstart").text
    text = text.replace("problems:720", "rows.jsonl").replace(
        "reward: gsm8k ", "reward: ./mine.py\n  validationData: rows.jsonl "
    )

    def identity(folder: Path, text: str = text) -> str:
        return identity_of(parse_recipe(text, name="x", path=folder / "x.yaml"))

    first = identity(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("rows.jsonl", "mine.py"):
        (elsewhere / name).write_bytes((tmp_path / name).read_bytes())
    assert identity(elsewhere) == first
    assert identity(tmp_path, text.replace("seed: 0", "seed: 1")) != first
    assert identity(tmp_path, text.replace("1e-4", "2e-4")) != first
    reward.write_text("a = 2\n")
    assert identity(tmp_path) != first
    (elsewhere / "rows.jsonl").write_text("{}\n")
    assert identity(elsewhere) != first
    (elsewhere / "rows.jsonl").unlink()
    with pytest.raises(DataError, match="no such file"):
        identity(elsewhere)


FRACTIONS = {
    "quickstart": [
        RATE,
        "local.training.klCoefficient",
        "local.overrides.learningRate",
        "local.earlyStopping.minGain",
    ],
    "gsm8k-open-weight": [
        "method.reinforcement.hyperparameters.learning_rate_multiplier",
        "local.overrides.learning_rate_multiplier",
    ],
}
WHOLE = {
    "quickstart": [BATCH, SAMPLES, "local.maxSteps", "local.lambda.timeout", "local.unknown.x"],
    "gsm8k-open-weight": [
        "method.reinforcement.hyperparameters.batch_size",
        "method.reinforcement.hyperparameters.unknown.x",
        "model.x",
    ],
}


@pytest.fixture
def plan_of(written: Callable[..., Path], tmp_path: Path) -> Callable[[str], SweepPlan]:
    """Return a function that plans the base recipe alone, with any axis."""
    text = "axes: {local.maxSteps: [1, 2]}\nmetric: critic_rewards_mean\nallowRefused: true"
    return lambda recipe: SweepPlan(read_sweep(written(text, recipe)), tmp_path / "out")


def pairs(known: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(recipe, path) for recipe, paths in known.items() for path in paths]


@pytest.mark.parametrize(("recipe", "path"), pairs(FRACTIONS))
def test_whole_ends_of_a_setting_that_takes_fractions_mean_everything_between(
    recipe: str, path: str, plan_of: Planned
):
    found = plan_of(recipe).typed(Axis(path, Range(0, 1, log=False), 1)).values
    assert isinstance(found, Range)
    assert not found.whole
    assert (found.low, found.high) == (0, 1)


@pytest.mark.parametrize(("recipe", "path"), pairs(WHOLE))
def test_a_whole_setting_and_an_unknown_one_keep_the_ends_as_written(
    recipe: str, path: str, plan_of: Planned
):
    axis = Axis(path, Range(1, 4, log=False), 1)
    assert plan_of(recipe).typed(axis) is axis


def test_a_list_of_values_stays_as_it_is(plan_of: Planned):
    axis = Axis(RATE, (0, 1), 1)
    assert plan_of("quickstart").typed(axis) is axis
