"""Fixtures that several rooms share: small models made on the spot, and an environment without AWS.

Nothing here reaches the network, nor the user's home but for a real model that was put there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from bedrock_rft_sim.data.gguf import cache_folder

# The same examples every time, on a laptop and on CI.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

ARCHITECTURES = ("qwen3", "qwen2", "llama")
KINDS = {
    "qwen3": "Qwen3",
    "qwen2": "Qwen2",
    "llama": "Llama",
    "gemma3": "Gemma3",
    "gpt_oss": "GptOss",
    "qwen3_moe": "Qwen3Moe",
}
EXPERTS = {
    "gpt_oss": {"num_local_experts": 4, "num_experts_per_tok": 2, "rope_parameters": None},
    "qwen3_moe": {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32},
}
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that makes an untrained model of an architecture and gives its folder."""
    made: dict[str, Path] = {}

    def make(architecture: str = "qwen3") -> Path:
        if architecture not in made:
            made[architecture] = _make_model(tmp_path_factory.mktemp(architecture), architecture)
        return made[architecture]

    return make


def _make_model(folder: Path, architecture: str) -> Path:
    import torch
    import transformers

    name = KINDS[architecture]
    settings = "Gemma3Text" if name == "Gemma3" else name
    config = getattr(transformers, f"{settings}Config")(**_sizes(architecture))
    torch.manual_seed(0)
    model = getattr(transformers, f"{name}ForCausalLM")(config)
    model.generation_config.eos_token_id = 2
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def _sizes(architecture: str) -> dict[str, Any]:
    sizes: dict[str, Any] = {
        "vocab_size": 320,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 512,
        "bos_token_id": None,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
    }
    if architecture in ("qwen2", "llama"):
        return sizes
    return {**sizes, "head_dim": 16, **EXPERTS.get(architecture, {})}


def save_tokenizer(folder: Path) -> None:
    """Write a byte-level tokenizer with a chat template, as a Hub model carries it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = ["Tom has 12 apples and buys 30 more. How many apples are there? #### 42"] * 4
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "chat_template": CHAT_TEMPLATE,
        "model_max_length": 512,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


DRAWN: dict[str, str] = {}


@pytest.fixture
def each_curve_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw a page's curves once for equal numbers, whatever test asks: each takes half a second."""
    from bedrock_rft_sim.report import page

    draw = page.console_graphs

    def drawn(*arguments: Any, **options: Any) -> str:
        key = repr((arguments, options))
        if key not in DRAWN:
            DRAWN[key] = draw(*arguments, **options)
        return DRAWN[key]

    monkeypatch.setattr(page, "console_graphs", drawn)


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a JSONL of small sums."""

    def write(count: int, name: str = "rows.jsonl") -> Path:
        return write_sums(tmp_path / name, count)

    return write


def write_sums(path: Path, count: int) -> Path:
    """Write a JSONL of small sums."""
    path.write_text("".join(json.dumps(_sum_record(index)) + "\n" for index in range(count)))
    return path


def _sum_record(index: int) -> dict[str, Any]:
    left, right = index % 7 + 1, index % 5 + 2
    return {
        "id": f"sum-{index:03d}",
        "messages": [{"role": "user", "content": f"What is {left} + {right}?"}],
        "reference_answer": {"final_answer": str(left + right), "steps": []},
    }


@pytest.fixture(scope="session")
def real_model() -> Path:
    """Return the folder of SmolLM2-135M-Instruct, or skip with a clear word."""
    folder = cache_folder() / "SmolLM2-135M-Instruct"
    if not (folder / "config.json").is_file():
        pytest.skip("no real model is here (scripts/real_model makes it)")
    return folder


@pytest.fixture
def gsm8k_folder() -> Path:
    """Return the folder with the official GSM8K files, or skip with a clear word."""
    folder = Path(__file__).parent.parent.parent / "shared" / "data" / "gsm8k"
    if not (folder / "train.jsonl").is_file():
        pytest.skip("the official GSM8K files are not here (train.jsonl, test.jsonl)")
    return folder
