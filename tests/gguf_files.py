"""Small models as GGUF files, written as llama.cpp's converter writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_gguf(
    folder: Path,
    path: Path,
    *,
    leave_out: tuple[str, ...] = (),
    also: dict[str, Any] | None = None,
    **stated: Any,
) -> Path:
    """Write the model in `folder` as a GGUF file.

    `leave_out` are names of fields or tensors, `also` further tensors, `stated` further fields
    (with `__` for a dot).
    """
    from gguf import GGUFWriter
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text())
    kind = config["model_type"]
    writer = GGUFWriter(None, stated.pop("architecture", kind))
    fields = {**_sizes(config), **_tokenizer(folder)}
    fields |= {name.replace("__", "."): value for name, value in stated.items()}
    for name, value in fields.items():
        if name not in leave_out:
            _add(writer, name.replace("ARCH", writer.arch), value)
    tensors = {
        _renamed(name): value for name, value in load_file(folder / "model.safetensors").items()
    }
    for name, value in {**tensors, **(also or {})}.items():
        if name not in leave_out:
            heads = {"attn_q": "num_attention_heads", "attn_k": "num_key_value_heads"}.get(
                name.split(".")[-2]
            )
            if kind == "llama" and heads:
                value = _rotated(value, config[heads])
            writer.add_tensor(name, value)
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _sizes(config: dict[str, Any]) -> dict[str, Any]:
    rope = config.get("rope_parameters") or {}
    return {
        "ARCH.block_count": config["num_hidden_layers"],
        "ARCH.context_length": config["max_position_embeddings"],
        "ARCH.embedding_length": config["hidden_size"],
        "ARCH.feed_forward_length": config["intermediate_size"],
        "ARCH.attention.head_count": config["num_attention_heads"],
        "ARCH.attention.head_count_kv": config["num_key_value_heads"],
        "ARCH.attention.key_length": _head_width(config),
        "ARCH.attention.value_length": _head_width(config),
        "ARCH.attention.layer_norm_rms_epsilon": config["rms_norm_eps"],
        "ARCH.rope.freq_base": float(rope.get("rope_theta", 10000.0)),
        "ARCH.rope.dimension_count": _head_width(config),
        "ARCH.vocab_size": config["vocab_size"],
    }


def _head_width(config: dict[str, Any]) -> int:
    return config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]


def _tokenizer(folder: Path) -> dict[str, Any]:
    content = json.loads((folder / "tokenizer.json").read_text())
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    special = {token["content"]: token["id"] for token in content["added_tokens"]}
    vocabulary = sorted(content["model"]["vocab"].items(), key=lambda item: item[1])
    tokens = [token for token, _ in vocabulary]
    tokens += [f"[PAD{index}]" for index in range(len(tokens), 320)]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3 if token in special else 1 for token in tokens],
        "tokenizer.ggml.merges": [" ".join(pair) for pair in content["model"]["merges"]],
        "tokenizer.ggml.eos_token_id": special[settings["eos_token"]],
        "tokenizer.ggml.padding_token_id": special[settings["pad_token"]],
        "tokenizer.chat_template": settings["chat_template"],
    }


def _add(writer: Any, name: str, value: Any) -> None:
    if isinstance(value, list):
        writer.add_array(name, value)
    elif isinstance(value, str):
        writer.add_string(name, value)
    elif isinstance(value, float):
        writer.add_float32(name, value)
    else:
        writer.add_uint32(name, value)


def _renamed(name: str) -> str:
    outer = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
    }
    if name in outer:
        return outer[name]
    _, _, layer, rest = name.split(".", 3)
    module, _, part = rest.rpartition(".")
    return f"blk.{layer}.{NAMES[module]}.{part}"


def _rotated(weight: Any, heads: int) -> Any:
    """Reorder rows as llama.cpp does for Llama's rotary embedding."""
    rows = weight.shape[0]
    halves = weight.reshape(heads, 2, rows // heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)
