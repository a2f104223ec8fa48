"""Memory and time of the rehearsal, by the formula and by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sim.engine.device import ModelShape
from sim.errors import DataError, RecipeError
from sim.estimate import JobEstimate, Measured, price_list, read_measured
from sim.estimate.here import memory
from sim.estimate.model_size import ModelSize, model_size
from sim.probe import Estimate
from sim.recipe import Recipe, load_recipe
from sim.runfolder import RunFolder

SIZE = ModelSize(1000, ModelShape(layers=2, hidden=10, vocabulary=50), ((10, 20), (20, 10)))
SETTINGS = load_recipe("quickstart").settings


def test_full_training_holds_weights_gradients_two_moments_and_the_reference() -> None:
    found = memory(replace(SETTINGS, training="full"), SIZE, free_bytes=2**40)
    assert (found.weights, found.gradients, found.optimizer) == (4000, 4000, 8000)
    assert found.reference == 4000
    assert memory(replace(SETTINGS, kl_coefficient=0.0), SIZE, free_bytes=2**40).reference == 0


def test_lora_holds_gradients_and_moments_of_the_adapters_only() -> None:
    found = memory(replace(SETTINGS, training="lora", lora_rank=4), SIZE, free_bytes=2**40)
    adapters = 4 * (10 + 20) + 4 * (20 + 10)  # rank x (inputs + outputs), two layers
    assert found.weights == 4 * (1000 + adapters)
    assert (found.gradients, found.optimizer) == (4 * adapters, 8 * adapters)
    assert found.reference == 0


def test_the_micro_batch_shrinks_with_the_memory_at_hand() -> None:
    plenty = memory(SETTINGS, SIZE, free_bytes=2**40)
    little = memory(SETTINGS, SIZE, free_bytes=2**22)
    assert plenty.micro_batch == SETTINGS.rollouts_per_step
    assert little.micro_batch < plenty.micro_batch
    assert little.activations < plenty.activations


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
    assert found.shape == ModelShape(2, 32, 320)


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
        step_seconds=Estimate(3.0, 2.0, 4.0, "bootstrap"),
        validation_seconds=Estimate(1.0, 1.0, 1.0, "bootstrap"),
        rollouts_per_step=32,
    )


def test_time_grows_with_the_rollouts_of_a_step(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    seconds = estimated(recipe_of(), measured()).seconds
    # 24 steps of 64 rollouts, 32 of which took 3 s, and 3 validations of 1 s
    assert seconds is not None
    assert (seconds.low, seconds.value, seconds.high) == (24 * 4 + 3, 24 * 6 + 3, 24 * 8 + 3)


def test_time_is_unknown_until_a_step_was_measured(
    recipe_of: Callable[..., Recipe], estimated: Callable[..., JobEstimate]
) -> None:
    assert estimated(recipe_of()).seconds is None


def test_a_run_s_lengths_times_and_memory_are_read_from_its_folder(tmp_path: Path) -> None:
    settings = {"inference_max_tokens": {"value": 96}}
    resolved = {"settings": settings, "local": {"model": {"value": "tiny"}}}
    with RunFolder.create(tmp_path, "r") as folder:
        folder.write_recipe("", resolved=resolved, request={})
        folder.append_metrics({"step": 0, "local_seconds": {"validate": 2.0, "total": 2.0}})
        for step, length in ((1, 40.0), (2, 60.0), (3, 50.0)):
            line = {
                "step": step,
                "critic_rewards_mean": 0.5,
                "response_length_mean": length,
                "local_truncated_share": 0.25,
                "local_rollouts": 10,
                "local_seconds": {"grade": 0.5, "update": 1.5, "total": 4.0, "validate": 2.0},
                "local_peak_memory_mb": 100.0 * step,
            }
            folder.append_metrics(line)
    found = read_measured(tmp_path / "r")
    assert (found.model, found.limit, found.rollouts_per_step) == ("tiny", 96, 10)
    assert found.response_tokens is not None
    assert (found.response_tokens.low, found.response_tokens.value) == (40.0, 50.0)
    assert found.cut_share == 0.25
    assert found.grader_seconds is not None
    assert found.grader_seconds.value == 0.05
    assert found.step_seconds is not None
    assert found.step_seconds.value == 2.0
    assert found.validation_seconds is not None
    assert found.validation_seconds.value == 2.0
    assert (found.peak_memory_mb, found.total_seconds) == (300.0, 12.0)


@pytest.mark.parametrize("content", ["{}", '{"probe_schema": 1}', '{"lengths": 3, "model": "m"}'])
def test_a_file_that_is_no_probe_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(content)
    with pytest.raises(DataError, match="nothing was measured here"):
        read_measured(path)


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
