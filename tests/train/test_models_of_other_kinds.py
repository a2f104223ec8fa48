"""A GGUF file and the adapters of an earlier run are trained like any model folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bedrock_rft_sim
from bedrock_rft_sim.data import gguf
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.engine.gguf import unpack
from bedrock_rft_sim.engine.load import load_whole
from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.train.run import RunResult, rehearse
from tests.conftest import ARCHITECTURES
from tests.gguf_files import write_gguf

MESSAGES = [{"role": "user", "content": "What is 1 + 2?"}]
LORA = ("local.training.method=lora", "local.maxSteps=1")


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_gguf_file_trains_two_steps_and_is_exported_as_an_ordinary_folder(
    recipe_for: Callable[..., Recipe],
    run: Callable[..., RunResult],
    small_model: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    architecture: str,
) -> None:
    pytest.importorskip("gguf", reason="the package gguf is not installed (extra gguf)")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(gguf, "_read", unpack)
    file = write_gguf(small_model(architecture), tmp_path / "model.gguf")
    result = run(recipe_for("local.maxSteps=2", model=file))
    assert (result.status, result.step) == ("Completed", 2)
    model = result.folder / "model"
    config = json.loads((model / "config.json").read_text())
    assert config["model_type"] == architecture
    assert "quantization_config" not in config
    assert (model / "model.safetensors").is_file()
    assert load_tokenizer(str(model)).render(MESSAGES).endswith("<|im_start|>assistant\n")


def metrics(result: RunResult) -> list[dict[str, Any]]:
    """Return the lines of the training steps."""
    lines = (result.folder / "metrics.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["step"] > 0]


@pytest.mark.slow
def test_adapters_of_a_run_are_trained_on_top_of_their_base(
    recipe_for: Callable[..., Recipe], run: Callable[..., RunResult]
) -> None:
    first = run(recipe_for(*LORA), name="first").folder / "model"
    second = run(recipe_for(*LORA, model=first), name="second").folder / "model"
    base = json.loads((second / "adapter_config.json").read_text())["base_model_name_or_path"]
    assert base == str(first)
    names = [name for name, _ in load_whole(str(second)).named_parameters()]
    assert not [name for name in names if "lora" in name]

    full = run(recipe_for("local.maxSteps=2", model=second), name="full")
    assert (
        full.first["validation_rewards_mean"]
        == run(recipe_for(*LORA, model=second), name="third").first["validation_rewards_mean"]
    )
    divergence = [line["local_kl"] for line in metrics(full)]
    assert divergence[0] == pytest.approx(0, abs=1e-6)
    assert divergence[1] != 0


def test_adapters_whose_base_is_gone_are_one_message(
    recipe_for: Callable[..., Recipe], run: Callable[..., RunResult], tmp_path: Path
) -> None:
    adapters = tmp_path / "adapters"
    adapters.mkdir()
    gone = {"base_model_name_or_path": str(tmp_path / "gone"), "peft_type": "LORA"}
    (adapters / "adapter_config.json").write_text(json.dumps(gone))
    with pytest.raises(RecipeError, match="the base model of these adapters") as raised:
        run(recipe_for(*LORA, model=adapters))
    assert raised.value.found == str(tmp_path / "gone")
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_no_notice_of_a_library_reaches_the_terminal(
    small_model: Callable[..., Path], recipe_for: Callable[..., Recipe], tmp_path: Path
) -> None:
    """Experts make peft warn; a tokenizer without a pad token makes transformers."""
    model = Path(shutil.copytree(small_model("qwen3_moe"), tmp_path / "model"))
    settings = json.loads((model / "tokenizer_config.json").read_text())
    del settings["pad_token"]
    (model / "tokenizer_config.json").write_text(json.dumps(settings))
    code = (
        "import json, sys; from bedrock_rft_sim.recipe import load_recipe;"
        "from bedrock_rft_sim.train.run import rehearse;"
        "sets = json.loads(sys.argv[1]);"
        "rehearse(load_recipe('quickstart', sets=sets), parent=sys.argv[2])"
    )
    recipe = recipe_for(*LORA, model=model)
    rows = recipe.local.trainingData
    sets = [f"local.model={model}", f"local.trainingData={rows}", f"local.validationData={rows}"]
    sets += [f"local.reward={recipe.local.reward}", *LORA]
    sets += ["local.overrides.batchSize=2", "local.overrides.inferenceMaxTokens=4"]
    found = subprocess.run(
        [sys.executable, "-c", code, json.dumps(sets), str(tmp_path / "child")],
        env={**os.environ, "PYTHONPATH": str(Path(bedrock_rft_sim.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (found.stdout, found.stderr) == ("", "")
    record = json.loads((tmp_path / "child" / "quickstart" / "run.json").read_text())
    assert record["lora"]["odds"] == "the router mlp.gate is adapted"


def test_a_run_says_at_its_start_where_the_model_does_not_fit_the_recipe(
    small_model: Callable[..., Path], recipe_for: Callable[..., Recipe], tmp_path: Path
) -> None:
    model = Path(shutil.copytree(small_model("llama"), tmp_path / "model"))
    settings = json.loads((model / "tokenizer_config.json").read_text())
    settings["chat_template"] += "{% if add_generation_prompt %}<think>{% endif %}"
    (model / "tokenizer_config.json").write_text(json.dumps(settings))
    said: list[str] = []
    rehearse(recipe_for(*LORA, model=model), parent=tmp_path / "runs", say=said.append)
    assert [line for line in said if line.startswith("note: The chat template opens <think>")]
    assert [line for line in said if line.startswith("LoRA adapts 14 layers")]
