"""Loading what a recipe names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.data.tokens import load_tokenizer as load_chat_tokenizer
from bedrock_rft_sim.engine.load import load_tokenizer, model_shape
from bedrock_rft_sim.errors import TrainingError


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


def test_the_sizes_come_from_the_configuration(folder: Path) -> None:
    shape = model_shape(str(folder))
    assert (shape.layers, shape.hidden, shape.vocabulary) == (2, 32, 320)
