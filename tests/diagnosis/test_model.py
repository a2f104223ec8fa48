"""A model is held against the recipe by its tokenizer and its template, before it is loaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.diagnosis.finding import Finding
from bedrock_rft_sim.diagnosis.model import diagnose_model, lora_odds
from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe import Recipe, load_recipe
from tests.conftest import KINDS

THINK = "{% if add_generation_prompt %}<think>\n{% endif %}"
LORA = "local.training.method=lora"


@pytest.fixture
def model(small_model: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Return a function that copies a small model, so that a test may change its files."""

    def copy(architecture: str = "llama") -> Path:
        return Path(shutil.copytree(small_model(architecture), tmp_path / "model"))

    return copy


def recipe_of(model: Path, *sets: str) -> Recipe:
    common = [f"local.model={model}", "local.trainingData=problems:20"]
    return load_recipe("quickstart", sets=[*common, *sets])


def held(recipe: Recipe) -> dict[str, Finding]:
    rows = list(plan.source_rows(recipe, "train"))
    found = diagnose_model(recipe, rows, load_tokenizer(recipe.model))
    return {finding.rule: finding for finding in found}


def change(file: Path, **values: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def add_special(model: Path, token: str) -> None:
    content = json.loads((model / "tokenizer.json").read_text())
    added = {**content["added_tokens"][-1], "id": 319, "content": token}
    content["added_tokens"].append(added)
    (model / "tokenizer.json").write_text(json.dumps(content))


@pytest.mark.parametrize("architecture", KINDS)
def test_a_model_that_fits_has_no_finding(model: Callable[..., Path], architecture: str) -> None:
    found = held(recipe_of(model(architecture)))
    assert [each.severity for each in found.values()] == ["clear"] * 3


def test_a_marker_that_is_a_special_token_is_lost_to_the_reward(
    model: Callable[..., Path],
) -> None:
    folder = model()
    add_special(folder, "####")
    finding = held(recipe_of(folder))["answers survive the tokenizer"]
    assert finding.severity == "problem"
    assert finding.numbers == {"lost": 8, "replies": 8}
    assert "falls from 1 to 0; #### is lost" in finding.says
    assert "another marker" in finding.remedy


def test_an_answer_tag_of_the_prompt_that_is_a_special_token_is_told(
    model: Callable[..., Path], tmp_path: Path
) -> None:
    folder = model()
    add_special(folder, "<answer>")
    row = {
        "id": "a",
        "messages": [{"role": "user", "content": "1 + 2? Put it into <answer> tags."}],
        "reference_answer": {"final_answer": "3", "steps": []},
    }
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    rows = tmp_path / "rows.jsonl"
    recipe = recipe_of(folder, f"local.trainingData={rows}", f"local.validationData={rows}")
    finding = held(recipe)["answers survive the tokenizer"]
    assert finding.severity == "warning"
    assert "<answer>" in finding.says


def test_a_turn_that_ends_in_what_ends_no_answer_runs_on(model: Callable[..., Path]) -> None:
    folder = model()
    change(folder / "tokenizer_config.json", eos_token="<|endoftext|>")
    change(folder / "generation_config.json", eos_token_id=0)
    finding = held(recipe_of(folder))["the turn's end ends the answer"]
    assert finding.severity == "problem"
    assert "'<|im_end|>'" in finding.says
    assert "(<|endoftext|>)" in finding.says


def test_an_end_token_of_the_generation_settings_is_one_too(model: Callable[..., Path]) -> None:
    folder = model()
    change(folder / "tokenizer_config.json", eos_token="<|endoftext|>")
    change(folder / "generation_config.json", eos_token_id=[0, 2])
    assert held(recipe_of(folder))["the turn's end ends the answer"].severity == "clear"


def test_a_template_that_opens_thinking_in_the_prompt_is_told(
    model: Callable[..., Path],
) -> None:
    folder = model()
    template = json.loads((folder / "tokenizer_config.json").read_text())["chat_template"]
    change(folder / "tokenizer_config.json", chat_template=template + THINK)
    finding = held(recipe_of(folder))["thinking in the prompt"]
    assert finding.severity == "note"
    assert "enable_thinking: false" in finding.remedy


def test_a_model_without_an_end_token_is_one_message(model: Callable[..., Path]) -> None:
    folder = model()
    change(folder / "tokenizer_config.json", eos_token=None)
    with pytest.raises(RecipeError, match="the model has no end token"):
        held(recipe_of(folder))


@pytest.mark.parametrize(
    ("architecture", "odds"),
    [
        ("gpt_oss", ("mlp.router stays frozen", "mlp.experts stays frozen")),
        ("qwen3_moe", ("the router mlp.gate is adapted",)),
    ],
)
def test_what_lora_leaves_out_or_takes_in_a_mixture_of_experts_is_named(
    small_model: Callable[..., Path], architecture: str, odds: tuple[str, ...]
) -> None:
    found = lora_odds(recipe_of(small_model(architecture), LORA))
    assert found is not None
    assert all(each in found for each in odds)


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3", "gemma3"])
def test_an_ordinary_model_has_linear_layers_only(
    small_model: Callable[..., Path], architecture: str
) -> None:
    assert lora_odds(recipe_of(small_model(architecture), LORA)) is None
