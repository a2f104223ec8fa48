"""The embedded model's folder: what must hold before anyone loads it."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from tokenizers import Tokenizer

import bedrock_rft_sim
from bedrock_rft_sim.data.problems import generate, to_record

TINY = Path(bedrock_rft_sim.__file__).parent / "assets" / "tiny"
MEGABYTE = 1_000_000


def read(name):
    return json.loads((TINY / name).read_text())


def test_the_folder_is_small():
    assert sum(path.stat().st_size for path in TINY.iterdir()) < 10 * MEGABYTE


def test_generation_config_names_the_ends_and_no_sampling():
    assert read("generation_config.json") == {"eos_token_id": 2, "pad_token_id": 0}


def test_config_and_tokenizer_agree_on_special_tokens():
    tokenizer = Tokenizer.from_file(str(TINY / "tokenizer.json"))
    names, config = read("tokenizer_config.json"), read("config.json")
    assert tokenizer.token_to_id(names["pad_token"]) == config["pad_token_id"]
    assert tokenizer.token_to_id(names["eos_token"]) == config["eos_token_id"]
    assert tokenizer.get_vocab_size() == config["vocab_size"]


def test_weights_are_plain_floats_in_safetensors():
    with (TINY / "model.safetensors").open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    assert {entry["dtype"] for name, entry in header.items() if name != "__metadata__"} == {"F32"}


def test_every_digit_is_a_token_of_its_own():
    tokenizer = Tokenizer.from_file(str(TINY / "tokenizer.json"))
    assert tokenizer.encode("<<123+45=168>>168", add_special_tokens=False).tokens == [
        *("<<", "1", "2", "3", "+", "4", "5", "=", "1", "6", "8", ">>", "1", "6", "8"),
    ]


def test_text_survives_the_tokenizer():
    tokenizer = Tokenizer.from_file(str(TINY / "tokenizer.json"))
    for text in ("Zoë pays 3 €\n", "#### 72", "  two  spaces"):
        assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False).ids) == text


def test_built_in_problems_and_answers_fit_the_quickstart_limits():
    tokenizer = Tokenizer.from_file(str(TINY / "tokenizer.json"))
    for problem in generate(800, seed=0):
        text = "".join(
            f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n"
            for m in to_record(problem, shape="nova")["messages"]
        )
        assert len(tokenizer.encode(text + "<|im_start|>assistant\n").ids) <= 110
        assert len(tokenizer.encode(problem.solution).ids) < 96
