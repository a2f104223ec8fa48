"""The frozen weights below LoRA adapters in bfloat16, where sums are in bfloat16 anyway."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.engine import quiet
from bedrock_rft_sim.engine.device import Device
from bedrock_rft_sim.grader import Grader
from bedrock_rft_sim.grader.reward import reward_of
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.train.interrupt import Interrupt
from bedrock_rft_sim.train.record import Rehearsal
from bedrock_rft_sim.train.run import RunResult
from tests.train.test_packed import Canned


def trained(recipe: Recipe, folder: Path, dtype: str) -> tuple[Any, dict[str, Any]]:
    """Learn one step from the same answers; return the trainer and the step's metrics."""
    quiet.silence_libraries(offline=True)
    import torch

    from bedrock_rft_sim.train.build import build_trainer

    data = plan.read_data(recipe, load_tokenizer(recipe.model))
    steps = plan.steps(len(data.train), recipe.settings, validates=False)
    device = Device("cpu", "", dtype, 2**33)
    with RunFolder.create(folder, dtype) as run, Grader(reward_of(recipe)) as grader:
        rehearsal = Rehearsal(recipe, data, steps, run, device, print)
        trainer = build_trainer(rehearsal, grader, Interrupt())
        trainer.sampler = Canned()
        torch.manual_seed(1)
        with torch.no_grad():
            for weight in trainer.model.parameters():
                if weight.requires_grad:
                    weight.add_(torch.randn_like(weight), alpha=0.05)
        trainer.train()
    return trainer, RunFolder.open(folder / dtype).read_metrics()[-1]


def test_a_frozen_base_in_bfloat16_gives_the_step_that_float32_gives(
    recipe_for: Callable[..., Recipe], tmp_path: Path
) -> None:
    import torch

    recipe = recipe_for(
        "local.maxSteps=1", "local.training.method=lora", "local.training.klCoefficient=0.05"
    )
    (half, line), (full, expected) = (
        trained(recipe, tmp_path / "runs", dtype) for dtype in ("bfloat16", "float32")
    )
    kinds = {(w.requires_grad, w.dtype) for w in half.model.parameters()}
    assert kinds == {(True, torch.float32), (False, torch.bfloat16)}
    assert {w.dtype for w in full.model.parameters()} == {torch.float32}
    pairs = list(zip(half.model.parameters(), full.model.parameters(), strict=True))
    assert all(a.equal(b.bfloat16()) for a, b in pairs if not a.requires_grad)  # not moved
    assert line["actor_entropy"] == pytest.approx(expected["actor_entropy"], rel=1e-3)
    assert line["actor_grad_norm"] == pytest.approx(expected["actor_grad_norm"], rel=0.05)
    assert line["local_kl"] == pytest.approx(expected["local_kl"], rel=0.05)


@pytest.mark.parametrize(("method", "base"), [("lora", "bfloat16"), ("full", "float32")])
def test_only_frozen_weights_follow_the_type_of_the_sums(
    method: str,
    base: str,
    recipe_for: Callable[..., Recipe],
    run: Callable[..., RunResult],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def kwargs(dtype: str = "float32") -> dict[str, Any]:
        asked.append(dtype)
        return {"dtype": dtype, "device_map": None}

    monkeypatch.setattr("bedrock_rft_sim.train.settings.model_init_kwargs", kwargs)
    result = run(
        recipe_for("local.maxSteps=2", "local.dtype=bfloat16", f"local.training.method={method}")
    )
    record = RunFolder.open(result.folder).read_record()
    assert asked == [base]
    assert (record["engine"]["name"], record["update"]["name"]) == ("native", "packed")
    assert result.last["actor_grad_norm"] > 0
