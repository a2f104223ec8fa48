"""Which ways of training make Qwen2.5-7B fit, worked out by hand from its config alone.

The config: huggingface.co/Qwen/Qwen2.5-7B-Instruct, config.json: 28 layers, hidden 3,584, 28 heads
of 128 with 4 key-value heads, MLP 18,944, vocabulary 152,064, embeddings not tied; biases on
queries, keys and values (transformers, Qwen2Attention).

Weights of a layer: q, o 3584 x 3584; k, v 3584 x 512; three of the MLP 3584 x 18944:
233,046,016, in 28 layers 6,525,288,448.  Beside them 3584 + 512 + 512 biases and 2 x 3584 of norms
a layer, 3,584 of the last norm, twice 152,064 x 3,584 of embedding and output layer: 1,090,328,064.
Together 7,615,616,512, as its model card says (7.61B, 6.53B without embeddings).
LoRA of rank 32: 32 x (inputs + outputs) = 2,883,584 a layer, 80,740,352 in all.

The job: 32 prompts x 8 answers a step, prompts of 512 and answers of 1,024 tokens.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.estimate.free_memory import GPU_MEMORY, FreeMemory
from bedrock_rft_sim.estimate.here import Memory, Spread, memory
from bedrock_rft_sim.estimate.model_size import ModelSize, model_size
from bedrock_rft_sim.estimate.ways import Gpus, read_gpus, ways
from bedrock_rft_sim.recipe import load_recipe

CONFIG = {
    "model_type": "qwen2", "hidden_size": 3584, "intermediate_size": 18944,
    "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4,
    "vocab_size": 152064, "tie_word_embeddings": False, "use_sliding_window": False,
    "sliding_window": 131072,
}  # fmt: skip
LINEAR, OTHER, ADAPTERS = 6_525_288_448, 1_090_328_064, 80_740_352
SETTINGS = replace(
    load_recipe("quickstart").settings,
    training="lora",
    lora_rank=32,
    batch_size=32,
    samples_per_prompt=8,
    max_prompt_length=512,
    inference_max_tokens=1024,
)
ONE_ANSWER = 2 * 28 * 4 * 128 * (512 + 1024) * 2
"""Keys and values in bfloat16: 28 layers, 4 heads of 128, 1,536 tokens: 88 MB."""
TOKENS = 512 + 1024 + 26
"""Of a pass over one rollout: 26, a twentieth of the prompt, for its keys and values."""
LOGITS = 152_064 * 4


@pytest.fixture
def seven(tmp_path: Path) -> ModelSize:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    size = model_size(str(tmp_path))
    assert size is not None
    return size


def on_gpu(size: ModelSize, gb: int, *, spread: Spread | None = None, **changes: object) -> Memory:
    engine = str(changes.pop("engine", "auto"))
    return memory(
        replace(SETTINGS, **changes),  # type: ignore[arg-type]
        size,
        free=FreeMemory(gb * 10**9, GPU_MEMORY),
        dtype="bfloat16",
        engine=engine,
        pass_mb=1,
        spread=spread or Spread(),
    )


def test_its_weights_follow_from_the_config_alone(seven: ModelSize) -> None:
    assert (seven.parameters, seven.linear_weights) == (7_615_616_512, LINEAR)
    assert LINEAR + OTHER == 7_615_616_512
    assert 32 * sum(map(sum, seven.linear)) == ADAPTERS
    assert seven.is_packed


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_a_config_gives_the_size_that_the_weights_have(
    architecture: str, small_model: object, tmp_path: Path
) -> None:
    folder = small_model(architecture)  # type: ignore[operator]
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    told, counted = model_size(str(tmp_path)), model_size(str(folder))
    assert told is not None
    assert counted is not None
    assert sorted(told.linear) == sorted(counted.linear)
    assert replace(told, linear=()) == replace(counted, linear=())


def test_in_bfloat16_on_one_gpu_of_80_gb(seven: ModelSize) -> None:
    found = on_gpu(seven, 80)
    assert found.weights == 2 * 7_615_616_512 + 4 * ADAPTERS  # 15.6 GB
    assert (found.gradients, found.optimizer) == (4 * ADAPTERS, 8 * ADAPTERS)
    assert found.plain == 2 * LINEAR  # 13.1 GB
    # 256 answers take 22.5 GB; the decoder stores what fits into a quarter of the GPU at a time
    assert 256 * ONE_ANSWER == 22_548_578_304
    assert found.cache == 20 * 10**9
    assert found.activations == TOKENS * (LOGITS + 28 * 3584 * 40) * 4  # 28.9 GB
    assert found.total == 58_454_010_880


def test_checkpointing_leaves_a_layer_s_input_and_one_layer_s_activations(
    seven: ModelSize,
) -> None:
    found = on_gpu(seven, 80, gradient_checkpointing=True)
    assert found.activations == TOKENS * (LOGITS + 3584 * (28 + 40)) * 4  # 5.3 GB


def test_nf4_takes_4_127_bits_of_each_linear_weight(seven: ModelSize) -> None:
    # QLoRA, section 3: scales quantized twice are 0.127 bits a weight
    found = on_gpu(seven, 24, quantization="nf4", gradient_checkpointing=True)
    quantized = found.weights - 4 * ADAPTERS - 2 * OTHER
    assert 8 * quantized / LINEAR == pytest.approx(4.127, abs=5e-4)
    assert found.plain == 0
    assert found.total == 12_838_696_704  # 5.9 weights, 1 of adapters, 6 of keys and values


def test_copies_of_the_model_store_gradients_twice_and_share_the_answers(seven: ModelSize) -> None:
    found = on_gpu(seven, 24, spread=Spread(8), gradient_checkpointing=True, engine="transformers")
    # torch, DistributedDataParallel: buckets are as large as the gradients
    assert found.gradients == 2 * 4 * ADAPTERS
    assert found.cache == 32 * ONE_ANSWER
    assert found.plain == 0


def test_shards_hold_an_eighth_and_two_layers_and_the_embeddings_whole(seven: ModelSize) -> None:
    found = on_gpu(seven, 24, spread=Spread(8, is_sharded=True), gradient_checkpointing=True)
    held = (2 * 7_615_616_512 + 4 * ADAPTERS) // 8
    assert found.weights == held + 2 * (LINEAR // 28 * 2 + OTHER)
    assert (found.gradients, found.optimizer) == (ADAPTERS // 2, ADAPTERS)
    assert found.plain == 0


def test_which_ways_fit_on_1_2_and_8_gpus_of_24_and_80_gb(seven: ModelSize) -> None:
    machines = [Gpus(count, gb) for gb in (24, 80) for count in (1, 2, 8)]
    found: dict[str, dict[str, bool]] = {}
    for fit in ways(SETTINGS, seven, machines):
        found.setdefault(fit.way.name, {})[fit.gpus.words] = fit.fits
    small, large = [[gpus.words for gpus in part] for part in (machines[:3], machines[3:])]
    assert not any(found["float32"].values())  # 30.8 of weights, 26.1 of copies, 28.9 of a pass
    for name in ("bfloat16", "checkpointing"):
        assert found[name] == dict.fromkeys(small, False) | dict.fromkeys(large, True)
    assert found["no copy"] == {
        **dict.fromkeys(small[:2], False), small[2]: True, **dict.fromkeys(large, True),
    }  # fmt: skip
    assert found["QLoRA"] == dict.fromkeys([*small, *large], True)
    assert found["FSDP2"] == dict.fromkeys([*small[1:], *large[1:]], True)


def test_nothing_is_quantized_where_all_weights_are_trained(seven: ModelSize) -> None:
    full = replace(SETTINGS, training="full")
    assert "QLoRA" not in {fit.way.name for fit in ways(full, seven, [Gpus(8, 80)])}


def test_a_wrong_number_of_gpus_is_one_message() -> None:
    assert read_gpus("8x80") == Gpus(8, 80)
    for text in ("8", "0x80", "8x", "eightx80"):
        with pytest.raises(RecipeError, match="COUNTxGB"):
            read_gpus(text)
