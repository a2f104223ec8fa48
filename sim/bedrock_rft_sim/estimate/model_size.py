"""How many parameters a model has, read off its files without loading it.

Where there is a config.json without weights, they follow from it for dense decoders of known kinds.
Sources: the safetensors format (an 8-byte little-endian length, then a JSON header of shapes);
transformers, the classes of `DENSE`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bedrock_rft_sim.data.tokens import adapter_base, model_folder
from bedrock_rft_sim.engine.device import ModelShape
from bedrock_rft_sim.errors import RecipeError

UNPACKED = (
    "attn_logit_softcapping", "attention_dropout", "num_experts", "num_local_experts"
)  # fmt: skip
"""Keys of a config that keep the update of a run padded; `bedrock_rft_sim.engine.native_backend`
and `bedrock_rft_sim.train.packed` look at the model itself."""
DENSE = {"llama", "mistral", "qwen2", "qwen3"}
"""Kinds of model whose weights follow from the config alone."""
HEADER_MAX = 100 * 1024 * 1024
_METADATA = "__metadata__"


@dataclass(frozen=True)
class ModelSize:
    """What memory depends on."""

    parameters: int
    shape: ModelShape
    linear: tuple[tuple[int, int], ...]
    """Inputs and outputs of every linear layer that LoRA adapts (all but the output layer)."""
    cached: int
    """Numbers that one token keeps in the cache while sampling: a key and a value of every head
    that has its own, in every layer."""
    is_packed: bool
    """Whether its config says nothing against an update without padding."""

    @property
    def linear_weights(self) -> int:
        """How many weights those linear layers have."""
        return sum(inputs * outputs for inputs, outputs in self.linear)

    @property
    def embedding(self) -> int:
        """How many weights the output layer has."""
        return self.shape.vocabulary * self.shape.hidden


def model_size(model: str) -> ModelSize | None:
    """Return the size of `tiny`, of a folder, or of a model in the Hub's cache.

    None where the files are not on this machine yet: nothing is downloaded for an estimate.
    """
    folder = model_folder(model, base=Path()) or _cached(model)
    base = None if folder is None else adapter_base(folder)
    if base is not None:
        return model_size(base)
    if folder is None or not (folder / "config.json").is_file():
        return None
    shapes = [shape for file in sorted(folder.glob("*.safetensors")) for shape in _shapes(file)]
    config = _object(folder / "config.json", (folder / "config.json").read_bytes())
    text = config.get("text_config", config)
    keys = ("num_hidden_layers", "hidden_size", "vocab_size", "num_attention_heads")
    sizes = [text.get(key) for key in keys]
    if not all(isinstance(size, int) for size in sizes):
        return None
    shapes = shapes or list(_shapes_of(text))
    if not shapes:
        return None
    layers, hidden, vocabulary, heads = sizes
    width = text.get("head_dim") or hidden // heads  # transformers takes the same where it is unset
    return ModelSize(
        parameters=sum(math.prod(shape) for _, shape in shapes),
        shape=ModelShape(layers, hidden, vocabulary),
        linear=tuple(
            (shape[1], shape[0])
            for name, shape in shapes
            if len(shape) == 2 and not {"embed_tokens", "lm_head"} & set(name.split("."))  # noqa: PLR2004
        ),
        cached=2 * layers * (text.get("num_key_value_heads") or heads) * width,
        is_packed=text is config and not _is_special(config),
    )


def _shapes_of(config: Mapping[str, Any]) -> Iterator[tuple[str, list[int]]]:
    """Yield the weights that a config asks for, those of its norms and biases joined."""
    kind, inner = config.get("model_type"), config.get("intermediate_size")
    if kind not in DENSE or not isinstance(inner, int):
        return
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    width = config.get("head_dim") or hidden // heads
    queries, keys = heads * width, (config.get("num_key_value_heads") or heads) * width
    has_bias = config.get("attention_bias") or kind == "qwen2"
    biases = (queries + 2 * keys) if has_bias else 0
    biases += hidden if config.get("attention_bias") else 0
    biases += (2 * inner + hidden) if config.get("mlp_bias") else 0
    norms = 2 * hidden + (2 * width if kind == "qwen3" else 0)
    for layer in range(config["num_hidden_layers"]):
        for outputs, inputs in (
            (queries, hidden), (keys, hidden), (keys, hidden), (hidden, queries),
            (inner, hidden), (inner, hidden), (hidden, inner),
        ):  # fmt: skip
            yield f"layers.{layer}.linear", [outputs, inputs]
        yield f"layers.{layer}.norms", [norms + biases]
    yield "norm", [hidden]
    yield "embed_tokens", [config["vocab_size"], hidden]
    if not config.get("tie_word_embeddings", False):
        yield "lm_head", [config["vocab_size"], hidden]


def _is_special(config: Mapping[str, Any]) -> bool:
    """Whether layers do otherwise than attend to every token before, as a run finds it out."""
    has_window = config.get("sliding_window") and config.get("use_sliding_window", True)
    layers = set(config.get("layer_types") or ()) - {"full_attention"}
    return bool(has_window or layers or any(map(config.get, UNPACKED)))


def _cached(model: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(model, "config.json")
    return Path(found).parent if isinstance(found, str) else None


def _shapes(file: Path) -> list[tuple[str, list[int]]]:
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if not 0 < length <= HEADER_MAX:
            return []
        header = _object(file, opened.read(length))
    try:
        return [(name, tensor["shape"]) for name, tensor in header.items() if name != _METADATA]
    except (KeyError, TypeError) as error:
        raise _damaged(file, f"a tensor without {error}") from error


def _object(file: Path, text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(file, str(error)) from error
    if not isinstance(value, dict):
        raise _damaged(file, type(value).__name__)
    return value


def _damaged(file: Path, found: str) -> RecipeError:
    return RecipeError(
        "the model's file is damaged",
        where=str(file),
        expected="one JSON object",
        found=found,
        hint="fetch the model again",
    )
