"""SmolLM2-135M-Instruct, out of a GGUF file: it answers, and it fits the recipe it is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.diagnosis.model import diagnose_model
from bedrock_rft_sim.engine.device import choose_device
from bedrock_rft_sim.engine.sampler import Sampler, SamplingParams
from bedrock_rft_sim.recipe import load_recipe

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.mark.slow
def test_it_knows_a_capital_and_ends_its_turn(real_model: Path) -> None:
    chat = load_tokenizer(str(real_model))
    sampler = Sampler.load(str(real_model), choose_device("cpu", "auto"))
    prompt = chat.encode(chat.render(QUESTION))
    [answer] = sampler.sample([prompt], SamplingParams(max_tokens=20, temperature=0))
    assert sampler.engine.name == "native"
    assert (answer.text, answer.stop_reason) == ("The capital of France is Paris.", "stop")


def test_it_fits_the_recipe_it_is_for(real_model: Path) -> None:
    recipe = load_recipe("orders-smollm2", sets=[f"local.model={real_model}"])
    data = plan.read_data(recipe, load_tokenizer(recipe.model))
    assert not data.too_long
    found = diagnose_model(recipe, data.train, load_tokenizer(recipe.model))
    assert [each.severity for each in found] == ["clear"] * 3
