"""GGUF files become ordinary model folders with the same numbers, or one message."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.data import gguf as cache
from bedrock_rft_sim.data.tokens import load_tokenizer as load_chat_tokenizer
from bedrock_rft_sim.engine.gguf import main, unpack
from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe import load_recipe
from tests.conftest import ARCHITECTURES
from tests.gguf_files import write_gguf

pytest.importorskip("gguf", reason="the package gguf is not installed (extra gguf)")
MESSAGES = [{"role": "user", "content": "Tom has 12 apples. #### 42"}]


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Read files without a process of their own, which takes seconds."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_read", unpack)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_file_comes_out_with_the_numbers_tokens_and_template_it_was_written_from(
    small_model: Callable[..., Path], tmp_path: Path, architecture: str
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    written = small_model(architecture)
    unpack(write_gguf(written, tmp_path / "model.gguf"), tmp_path / "folder")
    chats = [load_chat_tokenizer(str(each)) for each in (written, tmp_path / "folder")]
    ids = [chat.encode(chat.render(MESSAGES)) for chat in chats]
    assert ids[0] == ids[1]
    models = [AutoModelForCausalLM.from_pretrained(each) for each in (written, tmp_path / "folder")]
    with torch.no_grad():
        before, after = (model(torch.tensor([ids[0]])).logits for model in models)
    torch.testing.assert_close(before, after)
    assert models[1].generation_config.eos_token_id == 2


def test_the_end_of_a_turn_is_an_end_token_beside_that_of_the_text(
    small_model: Callable[..., Path], tmp_path: Path
) -> None:
    stated: dict[str, Any] = {
        "tokenizer__ggml__eot_token_id": 2,
        "tokenizer__ggml__eos_token_id": 0,
    }
    unpack(write_gguf(small_model("llama"), tmp_path / "m.gguf", **stated), tmp_path / "folder")
    settings = json.loads((tmp_path / "folder" / "generation_config.json").read_text())
    assert settings["eos_token_id"] == [0, 2]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"architecture": "clip"}, "architecture"),
        ({"general__type": "adapter"}, "a file of type adapter"),
        ({"split__count": 3}, "one part of several"),
        ({"leave_out": ("tokenizer.chat_template",)}, "no chat template"),
        ({"leave_out": ("tokenizer.ggml.eos_token_id",)}, "no end token"),
        ({"tokenizer__ggml__pre": "poro-chat"}, "tokenizer.ggml.pre: poro-chat"),
        ({"leave_out": ("blk.1.ffn_up.weight",)}, "1 tensors missing"),
        ({"leave_out": ("ARCH.attention.head_count",)}, ""),
    ],
)
def test_what_would_come_out_other_than_it_was_trained_is_refused(
    small_model: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    found: str,
) -> None:
    file = write_gguf(small_model("llama"), tmp_path / "model.gguf", **changes)
    assert main(str(file), str(tmp_path / "folder")) == 1
    refusal = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found in refusal["found"]
    assert refusal["hint"]


def test_scaled_rotary_frequencies_are_refused_since_they_would_be_lost(
    small_model: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import numpy

    scaled = {"rope_freqs.weight": numpy.ones(8, dtype=numpy.float32)}
    file = write_gguf(small_model("llama"), tmp_path / "model.gguf", also=scaled)
    assert main(str(file), str(tmp_path / "folder")) == 1
    assert "rope_freqs.weight" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"GGUF", b"<html>not found</html>"])
def test_a_broken_file_is_one_message(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.gguf").write_bytes(content)
    assert main(str(tmp_path / "broken.gguf"), str(tmp_path / "folder")) == 1
    refusal = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert refusal["found"]
    assert refusal["hint"]


def test_what_can_not_be_read_is_one_message_from_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 2**40, 2**40))
    with pytest.raises(RecipeError, match="the GGUF file can't be trained") as raised:
        load_chat_tokenizer(str(tmp_path / "broken.gguf"))
    assert raised.value.found
    assert raised.value.hint
    assert not list((tmp_path / "cache").rglob("config.json"))


def test_a_file_cut_short_is_one_message(
    small_model: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_gguf(small_model("qwen3"), tmp_path / "model.gguf")
    file.write_bytes(file.read_bytes()[:-2000])
    assert main(str(file), str(tmp_path / "folder")) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["found"]


@pytest.mark.usefixtures("in_process")
def test_a_file_is_unpacked_once_and_again_when_it_has_changed(
    small_model: Callable[..., Path], tmp_path: Path
) -> None:
    file = write_gguf(small_model("llama"), tmp_path / "model.gguf")
    first = cache.unpacked(file)
    assert cache.unpacked(file) == first
    write_gguf(small_model("llama"), file, leave_out=("tokenizer.ggml.padding_token_id",))
    assert cache.unpacked(file) != first


def test_a_file_that_is_not_there_is_one_message(tmp_path: Path) -> None:
    sets = [f"local.model={tmp_path / 'absent.gguf'}"]
    with pytest.raises(RecipeError, match="there is no such model"):
        _ = load_recipe("quickstart", sets=sets).model


@pytest.mark.slow
def test_unpacking_draws_no_bar_of_a_library(
    small_model: Callable[..., Path], tmp_path: Path
) -> None:
    file = write_gguf(small_model("llama"), tmp_path / "model.gguf")
    command = [sys.executable, "-m", "bedrock_rft_sim.engine.gguf", str(file)]
    found = subprocess.run(
        [*command, str(tmp_path / "folder")], capture_output=True, text=True, check=True
    )
    assert found.stderr == ""
