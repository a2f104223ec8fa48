"""Activations that are computed again give the update that kept ones give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs import RunFolder
from tests.train.test_frozen_base import trained


@pytest.mark.parametrize("method", ["full", "lora"])
def test_layers_computed_again_in_packed_passes_give_the_same_weights(
    method: str, recipe_for: Callable[..., Recipe], tmp_path: Path
) -> None:
    weights, lines = [], []
    for again in ("false", "true"):
        recipe = recipe_for(
            "local.maxSteps=1",
            f"local.training.method={method}",
            "local.training.klCoefficient=0.05",
            f"local.training.gradientCheckpointing={again}",
        )
        trainer, line = trained(recipe, tmp_path / again, "float32")
        record = RunFolder.open(tmp_path / again / "float32").read_record()
        assert record["update"]["name"] == "packed"
        layers = [each for each in trainer.model.modules() if hasattr(each, "self_attn")]
        assert {each.gradient_checkpointing for each in layers} == {again == "true"}
        weights.append([weight.detach() for weight in trainer.model.parameters()])
        lines.append(line)
    kept, computed = lines
    assert computed["actor_grad_norm"] == pytest.approx(kept["actor_grad_norm"], rel=1e-5)
    assert computed["local_kl"] == pytest.approx(kept["local_kl"], rel=1e-5)
    for one, other in zip(*weights, strict=True):
        assert one.allclose(other, atol=1e-5)
