"""Settings that need a package which most installations do without."""

from __future__ import annotations

import pytest

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe import extras, load_recipe

NF4 = ("local.training.method=lora", "local.training.quantization=nf4")


def test_a_package_that_is_not_here_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    extras.demand_extras(load_recipe("quickstart"))
    with pytest.raises(RecipeError, match="needs the package bitsandbytes") as raised:
        extras.demand_extras(load_recipe("quickstart", sets=NF4))
    assert raised.value.hint == "pip install 'bedrock-rft-sim[qlora]'"


def test_a_package_that_is_here_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: object())
    extras.demand_extras(load_recipe("quickstart", sets=NF4))


def test_weights_that_are_all_trained_can_t_be_quantized() -> None:
    with pytest.raises(RecipeError, match="quantization needs LoRA"):
        load_recipe("quickstart", sets=["local.training.quantization=nf4"])
