"""What LoRA adapts is counted, whatever the layers of a model are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.contract import ledger
from bedrock_rft_sim.engine.lora import Adapted, adapted_of
from bedrock_rft_sim.recipe import Settings, load_recipe

ATTENTION = {f"self_attn.{name}_proj": 2 for name in "kqvo"}
DENSE = {**ATTENTION, **{f"mlp.{name}_proj": 2 for name in ("gate", "up", "down")}}


def count(model: Path, *sets: str) -> Adapted | None:
    return adapted_of(str(model), settings(*sets))


def settings(*sets: str) -> Settings:
    return load_recipe("quickstart", sets=["local.training.method=lora", *sets]).settings


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3", "gemma3"])
def test_every_layer_of_an_ordinary_model_is_adapted(
    small_model: Callable[..., Path], architecture: str
) -> None:
    found = count(small_model(architecture))
    assert found is not None
    assert found.layers == DENSE
    assert found.frozen == {}
    assert found.odds is None
    assert "LoRA adapts 14 layers" in found.words


def test_the_experts_of_gpt_oss_stay_frozen(small_model: Callable[..., Path]) -> None:
    found = count(small_model("gpt_oss"))
    assert found is not None
    assert found.layers == ATTENTION
    assert found.frozen.keys() == {"mlp.experts", "mlp.router"}
    assert found.routers == ()
    assert found.frozen["mlp.experts"] > found.parameters / 2
    assert "mlp.experts stays frozen" in str(found.odds)


def test_the_router_of_qwen_moe_is_adapted(small_model: Callable[..., Path]) -> None:
    found = count(small_model("qwen3_moe"))
    assert found is not None
    assert found.layers == {**ATTENTION, "mlp.experts": 2, "mlp.gate": 2}
    assert found.routers == ("mlp.gate",)
    assert found.odds == "the router mlp.gate is adapted"


def test_nothing_is_counted_where_the_whole_model_is_trained(
    small_model: Callable[..., Path],
) -> None:
    assert count(small_model("llama"), "local.training.method=full") is None


def test_the_ledger_calls_lora_approximate_where_layers_are_left_out() -> None:
    odds = "mlp.experts stays frozen (80 % of the parameters)"
    [row] = [row for row in ledger.rows_here("bedrock", {}, odds) if row.knob == "LoRA"]
    assert (row.fidelity, row.here) == ("approximate", odds)
    [usual] = [row for row in ledger.rows_here("bedrock", {}) if row.knob == "LoRA"]
    assert (usual.fidelity, usual.here) == ("assumed", None)
