"""QLoRA: a run above weights of 4 bits, where bitsandbytes is installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from bedrock_rft_sim.engine.load import load_tokenizer, tokenizer_source
from bedrock_rft_sim.engine.lora import adapted_of
from bedrock_rft_sim.engine.sampler import Sampler, SamplingParams
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.train.run import RunResult
from tests.train.test_frozen_base import trained

pytest.importorskip("bitsandbytes")
NF4 = ("local.training.method=lora", "local.training.quantization=nf4")


def test_adapters_learn_in_float32_above_weights_that_stay_quantized(
    recipe_for: Callable[..., Recipe], tmp_path: Path
) -> None:
    import torch

    trainer, line = trained(recipe_for("local.maxSteps=1", *NF4, model="tiny"), tmp_path, "float32")
    kinds = {(each.requires_grad, each.dtype) for each in trainer.model.parameters()}
    assert kinds == {(True, torch.float32), (False, torch.uint8), (False, torch.float32)}
    assert line["actor_grad_norm"] > 0


def test_a_run_samples_with_the_engine_native_and_counts_the_weights_that_are_meant(
    recipe_for: Callable[..., Recipe], run: Callable[..., RunResult]
) -> None:
    result = run(recipe_for("local.maxSteps=2", *NF4, model="tiny"))
    record = RunFolder.open(result.folder).read_record()
    assert (record["engine"]["name"], record["update"]["name"]) == ("native", "packed")
    whole = adapted_of("tiny", recipe_for("local.training.method=lora", model="tiny").settings)
    assert whole is not None
    assert record["lora"] == {**asdict(whole), "odds": None}


def test_sampling_leaves_the_quantized_weights_as_they_are() -> None:
    from bedrock_rft_sim.engine.load import load_quantized

    model = load_quantized("tiny", "float32", "cpu").eval()
    before = {name: each.clone() for name, each in model.named_parameters()}
    sampler = Sampler(model, load_tokenizer(tokenizer_source("tiny")), engine="native")
    greedy = SamplingParams(max_tokens=8, temperature=0)
    native = sampler.sample([[5, 6, 7], [8, 9]], greedy)
    other = Sampler(model, load_tokenizer(tokenizer_source("tiny")), engine="transformers")
    assert native == other.sample([[5, 6, 7], [8, 9]], greedy)
    assert all(each.equal(before[name]) for name, each in model.named_parameters())
