"""Memory and time of the rehearsal, by the formula and by hand."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bedrock_rft_sim.data.tokens import EMBEDDED_FOLDER
from bedrock_rft_sim.engine.device import ModelShape
from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.estimate import JobEstimate, Measured
from bedrock_rft_sim.estimate.free_memory import GPU_MEMORY, MAIN_MEMORY, FreeMemory
from bedrock_rft_sim.estimate.here import memory
from bedrock_rft_sim.estimate.measured import COMPARED
from bedrock_rft_sim.estimate.model_size import ModelSize, model_size
from bedrock_rft_sim.estimate.money import price_list
from bedrock_rft_sim.estimate.quantity import Quantity
from bedrock_rft_sim.recipe import Recipe, load_recipe
from tests.run_folders import stated, write_run

SIZE = ModelSize(
    1000,
    ModelShape(layers=2, hidden=10, vocabulary=50),
    ((10, 20), (20, 10)),
    cached=2 * 2 * 3 * 4,
    is_packed=False,
)
PLENTY = FreeMemory(2**40, MAIN_MEMORY)
SETTINGS = load_recipe("quickstart").settings


def test_full_training_holds_weights_gradients_two_moments_and_the_reference() -> None:
    found = memory(replace(SETTINGS, training="full"), SIZE, free=PLENTY)
    assert (found.weights, found.gradients, found.optimizer) == (4000, 4000, 8000)
    assert found.reference == 4000
    assert memory(replace(SETTINGS, kl_coefficient=0.0), SIZE, free=PLENTY).reference == 0


def test_lora_holds_gradients_and_moments_of_the_adapters_only() -> None:
    found = memory(replace(SETTINGS, training="lora", lora_rank=4), SIZE, free=PLENTY)
    adapters = 4 * (10 + 20) + 4 * (20 + 10)  # rank x (inputs + outputs), two layers
    assert found.weights == 4 * (1000 + adapters)
    assert (found.gradients, found.optimizer) == (4 * adapters, 8 * adapters)
    assert found.reference == 0


def test_the_micro_batch_shrinks_with_the_memory_at_hand() -> None:
    plenty = memory(SETTINGS, SIZE, free=PLENTY)
    little = memory(SETTINGS, SIZE, free=FreeMemory(2**22, MAIN_MEMORY))
    assert plenty.micro_batch == SETTINGS.rollouts_per_step
    assert little.micro_batch < plenty.micro_batch
    assert little.activations < plenty.activations


@pytest.mark.parametrize("free", [2**23, 2**27, 2**40])
def test_the_micro_batch_is_the_one_that_a_run_would_take(free: int) -> None:
    from bedrock_rft_sim.engine.device import Device
    from bedrock_rft_sim.train.build import fitting_micro_batch

    size = model_size("tiny")
    assert size is not None
    assert size.is_packed
    found = memory(SETTINGS, size, free=FreeMemory(free, MAIN_MEMORY))
    device = Device("cpu", "", "float32", free)
    assert found.micro_batch == fitting_micro_batch(load_recipe("quickstart"), device)
    padded = memory(SETTINGS, replace(size, is_packed=False), free=FreeMemory(free, MAIN_MEMORY))
    assert padded.micro_batch <= found.micro_batch


@pytest.mark.parametrize(
    "changes",
    [
        {"sliding_window": 8, "use_sliding_window": True},
        {"layer_types": ["full_attention", "linear_attention"]},
        {"num_experts": 4},
        {"attention_dropout": 0.1},
        {"attn_logit_softcapping": 50.0},
    ],
)
def test_a_model_whose_updates_stay_padded_is_counted_with_its_padding(
    changes: dict[str, object], tmp_path: Path
) -> None:
    shutil.copytree(EMBEDDED_FOLDER, tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))
    size = model_size(str(tmp_path / "model"))
    assert size is not None
    assert not size.is_packed


def test_all_answers_of_a_step_are_cached_at_once_however_small_the_micro_batch(
    recipe_of: Callable[..., Recipe],
) -> None:
    settings = recipe_of().settings
    found = memory(settings, SIZE, free=FreeMemory(1, MAIN_MEMORY))
    # 16 x 4 rollouts x (128 + 100) tokens x 2 layers x 3 heads x 4 wide x 2 (key, value) x 4 bytes
    assert found.cache == 64 * 228 * 2 * 3 * 4 * 2 * 4
    # one sequence: 228 tokens x (50 x 4 logits + 2 x 10 x 40 activations) x 4 bytes
    assert (found.micro_batch, found.activations) == (1, 228 * (200 + 800) * 4)
    assert found.cache > found.activations
    rest = found.weights + found.gradients + found.optimizer + found.reference + found.libraries
    assert found.total == rest + found.cache
    assert memory(settings, SIZE, free=PLENTY).total == rest + 64 * found.activations


def test_a_large_validation_fills_the_cache_up_to_its_own_batches(
    recipe_of: Callable[..., Recipe],
) -> None:
    settings = recipe_of("local.overrides.batchSize=1").settings
    small = memory(settings, SIZE, free=PLENTY, validation_prompts=32)
    large = memory(settings, SIZE, free=PLENTY, validation_prompts=10_000)
    each = 228 * SIZE.cached * 4
    assert (small.cache, large.cache) == (32 * each, 32_768 // 228 * each)


def test_libraries_take_no_gpu_memory_and_an_unknown_gpu_gets_the_smallest_micro_batch() -> None:
    found = memory(SETTINGS, SIZE, free=FreeMemory(None, GPU_MEMORY))
    assert (found.libraries, found.micro_batch, found.free) == (0, 1, None)
    assert found.place == GPU_MEMORY


def test_a_colocated_vllm_holds_its_share_and_frozen_weights_stay_float32() -> None:
    lora = replace(SETTINGS, training="lora", lora_rank=4)
    free = FreeMemory(10**6, GPU_MEMORY)
    found = memory(lora, SIZE, free=free, dtype="bfloat16", engine="vllm", vllm_share=0.3)
    assert found.weights == 4 * (1000 + 4 * (10 + 20) + 4 * (20 + 10))
    assert (found.plain, found.cache) == (300_000, 0)
    shares = [
        load_recipe("quickstart", sets=["local.engine=vllm", *sets]).local.vllm_share
        for sets in ((), ("local.vllm.mode=server", "local.vllm.serverUrl=http://127.0.0.1:8000"))
    ]
    assert shares == [0.3, 0.0]


def test_a_model_s_size_is_read_off_its_files(small_model: Callable[..., Path]) -> None:
    from transformers import AutoModelForCausalLM

    folder = small_model("qwen3")
    model = AutoModelForCausalLM.from_pretrained(folder)
    linear = {
        (module.in_features, module.out_features)
        for name, module in model.named_modules()
        if type(module).__name__ == "Linear" and name != "lm_head"
    }
    found = model_size(str(folder))
    assert found is not None
    assert found.parameters == sum(weight.numel() for weight in model.parameters())
    assert set(found.linear) == linear
    config = model.config
    heads = config.num_key_value_heads * config.head_dim
    assert found.cached == 2 * config.num_hidden_layers * heads
    assert found.shape == ModelShape(2, 32, 320)


def test_the_heads_width_follows_from_the_hidden_size_where_a_model_does_not_say(
    small_model: Callable[..., Path], tmp_path: Path
) -> None:
    folder = small_model("qwen2")
    config = json.loads((folder / "config.json").read_text())
    for unsaid in ("head_dim", "num_key_value_heads"):
        config.pop(unsaid, None)
    (tmp_path / "config.json").write_text(json.dumps(config))
    shutil.copy(folder / "model.safetensors", tmp_path)
    found = model_size(str(tmp_path))
    # every head has its own key and value then, so a token's are as wide as the hidden size
    assert found is not None
    assert found.cached == 2 * config["num_hidden_layers"] * config["hidden_size"]


def test_a_model_that_is_not_here_is_not_fetched(tmp_path: Path) -> None:
    assert model_size("nobody/no-such-model") is None
    (tmp_path / "config.json").write_text("{}")
    assert model_size(str(tmp_path)) is None


def measured() -> Measured:
    return Measured(
        source="run r",
        model="tiny",
        limit=96,
        response_tokens=None,
        cut_share=None,
        step_seconds=Quantity(3.0, 2.0, 4.0, "measured"),
        validation_seconds=Quantity(1.0, 1.0, 1.0, "measured"),
        rollouts_per_step=32,
    )


def test_time_grows_with_the_rollouts_of_a_step(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    seconds = estimated(recipe_of(), measured()).seconds
    # 24 steps of 64 rollouts, 32 of which took 3 s, and 3 validations of 1 s
    assert seconds is not None
    assert (seconds.low, seconds.value, seconds.high) == (24 * 4 + 3, 24 * 6 + 3, 24 * 8 + 3)


def test_a_validation_takes_in_proportion_to_its_prompts(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    few = replace(measured(), validation_prompts=8)  # a quarter of the recipe's 32
    seconds = estimated(recipe_of(), few).seconds
    assert seconds is not None
    assert seconds.value == 24 * 6 + 3 * 4


def test_the_memory_of_a_pass_can_be_stated() -> None:
    little = memory(SETTINGS, SIZE, free=PLENTY, pass_mb=1)
    assert little.micro_batch < memory(SETTINGS, SIZE, free=PLENTY).micro_batch
    unknown = FreeMemory(None, GPU_MEMORY)
    assert memory(SETTINGS, SIZE, free=unknown, pass_mb=1).micro_batch == little.micro_batch


def test_time_is_unknown_until_a_step_was_measured(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    assert estimated(recipe_of()).seconds is None


def test_a_validation_that_was_not_measured_leaves_a_lower_bound(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    seconds = estimated(recipe_of(), replace(measured(), validation_seconds=None)).seconds
    assert seconds is not None
    assert (seconds.value, seconds.low, seconds.high) == (None, 24 * 4, None)


def test_another_model_s_seconds_are_not_used(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    found = estimated(recipe_of(), replace(measured(), model="other/model"))
    assert found.seconds is None
    assert any("its seconds are not used" in remark for remark in found.remarks)


def test_a_probe_s_sampling_is_a_lower_bound_of_the_time(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    seen = Measured("probe p", "tiny", 100, None, None, sampling_seconds=0.25)
    seconds = estimated(recipe_of(), seen).seconds
    # 24 steps x 64 rollouts + 3 validations x 32, a quarter of a second each
    assert seconds is not None
    assert (seconds.value, seconds.low, seconds.high) == (None, 1632 / 4, None)
    assert seconds.basis == "lower bound"
    # a probe that allowed twice as many tokens may have taken twice as long for each
    longer = estimated(recipe_of(), replace(seen, limit=200)).seconds
    assert longer is not None
    assert longer.low == 1632 / 8


def finished(runs: Path, name: str, *, model: str = "tiny", status: str = "Completed") -> Path:
    resolved = {"local": stated({"model": model})}
    with write_run(runs, name, resolved=resolved, status=status) as folder:
        return folder.path


def test_a_finished_run_of_the_model_is_named_and_not_used(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate], tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    assert estimated(recipe_of(), runs=runs).run_at_hand is None
    finished(runs, "other", model="other/model")
    finished(runs, "torn", status="Failed")
    (finished(runs, "damaged") / "run.json").write_text("{")
    assert estimated(recipe_of(), runs=runs).run_at_hand is None
    for age, name in enumerate(("new", "old")):
        at = 1_000_000 - age
        os.utime(finished(runs, name) / "run.json", (at, at))
    found = estimated(recipe_of(), runs=runs)
    assert (found.seconds, found.run_at_hand) == (None, str(runs / "new"))
    assert estimated(recipe_of(), measured(), runs=runs).run_at_hand is None


def test_what_a_run_took_stands_beside_the_estimate(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    recipe = recipe_of()
    own = {name: getattr(recipe.settings, name) for name in COMPARED}
    seen = replace(
        measured(), settings=own, steps=24, rollouts_per_step=64,
        peak_memory_mb=100.0, total_seconds=150.0,
    )  # fmt: skip
    found = estimated(recipe, seen)
    assert found.truth is not None
    assert found.memory is not None
    assert found.truth.memory_of_estimate == pytest.approx(100 * 2**20 / found.memory.total)
    assert found.truth.seconds_of_estimate == 150 / (24 * 3 + 3)


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({"steps": 3}, "memory"),
        ({"model": "other/model"}, "neither"),
        ({"settings": {"batch_size": 1}}, "neither"),
        ({"peak_memory_mb": None}, "seconds"),
    ],
)
def test_what_is_not_the_same_run_is_not_compared(
    changes: dict[str, object],
    known: str,
    recipe_of: Callable[..., Recipe],
    estimated: Callable[..., JobEstimate],
) -> None:
    recipe = recipe_of()
    own = {name: getattr(recipe.settings, name) for name in COMPARED}
    base: dict[str, object] = {
        "settings": own, "steps": 24, "peak_memory_mb": 100.0, "total_seconds": 150.0,
    }  # fmt: skip
    truth = estimated(recipe, replace(measured(), **{**base, **changes})).truth  # type: ignore[arg-type]
    assert truth is not None
    assert (truth.memory_of_estimate is not None) is (known == "memory")
    assert (truth.seconds_of_estimate is not None) is (known == "seconds")


def test_a_probe_is_no_truth_about_a_run(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    assert estimated(recipe_of(), replace(measured(), step_seconds=None)).truth is None


def test_prices_come_from_the_table_then_a_file_then_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("rft-hour: 30\nlambda-request: 1e-6\n")
    prices = price_list(file=file, stated=["rft-hour=45"])
    assert prices["rft-hour"].usd == 45.0
    assert prices["lambda-request"].usd == 1e-6
    assert prices["model-storage"].usd == 1.95
    assert prices["rft-hour"].source == "given by you"


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ("rft-hours=4", "did you mean rft-hour"),
        ("nova-input-token=1", "a job has no such price"),
        ("rft-hour", "NAME=VALUE"),
        ("rft-hour=free", "a number of at least 0"),
        ("rft-hour=-1", "a number of at least 0"),
        ("rft-hour=nan", "a number of at least 0"),
    ],
)
def test_a_wrong_price_is_one_message(stated: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        price_list(stated=[stated])


def test_every_published_price_has_a_date_and_a_source_and_the_unpublished_none() -> None:
    for price in price_list().values():
        assert price.source
        assert (price.usd is None) == (price.date is None)
    assert price_list()["rft-hour"].usd is None


def test_an_estimate_is_json(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    told = json.loads(json.dumps(estimated(recipe_of(), measured()).as_json(), allow_nan=False))
    assert told["bill"]["complete"] is False
    assert told["job"]["rollouts"]["value"] == 1536
