"""Loading what a recipe names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.data.tokens import load_tokenizer as load_chat_tokenizer
from bedrock_rft_sim.engine.load import load_tokenizer, load_whole, model_shape
from bedrock_rft_sim.errors import RecipeError, TrainingError


@pytest.fixture
def folder(small_model: Callable[..., Path], tmp_path: Path) -> Path:
    """A small model that the test may change."""
    return Path(shutil.copytree(small_model("qwen3"), tmp_path / "model"))


def test_the_tokenizer_file_wins_over_a_class_that_rebuilds_it(folder: Path) -> None:
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text())
    digits = {"type": "Digits", "individual_digits": True}
    content["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [digits, content["pre_tokenizer"]],
    }
    content["model"]["merges"].append(["1", "2"])
    content["model"]["vocab"]["12"] = len(content["model"]["vocab"])
    file.write_text(json.dumps(content))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["tokenizer_class"] = "GPT2Tokenizer"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))

    chat = load_chat_tokenizer(str(folder))
    loaded = load_tokenizer(str(folder))
    assert loaded.encode("12", add_special_tokens=False) == chat.encode("12")
    assert len(chat.encode("12")) == 2
    assert loaded.eos_token == "<|im_end|>"
    assert loaded.padding_side == "left"


def test_a_folder_without_a_model_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="the model can't be loaded"):
        model_shape(str(tmp_path))


def test_weights_that_are_missing_are_one_message_and_not_random_numbers(folder: Path) -> None:
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "tie_word_embeddings": False}))
    with pytest.raises(TrainingError, match="the model is not whole") as raised:
        load_whole(str(folder))
    assert "lm_head.weight" in str(raised.value.found)


def test_a_damaged_file_of_weights_is_one_message(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(TrainingError, match="the model can't be loaded"):
        load_whole(str(folder))


def test_a_tokenizer_without_an_end_token_is_one_message(folder: Path) -> None:
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    del settings["eos_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(RecipeError, match="the model has no end token"):
        load_tokenizer(str(folder))


def test_the_sizes_come_from_the_configuration(folder: Path) -> None:
    shape = model_shape(str(folder))
    assert (shape.layers, shape.hidden, shape.vocabulary) == (2, 32, 320)
