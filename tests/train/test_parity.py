"""Our trainer is TRL's: the same numbers, whether watched or not, and however it is cut up."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.engine import quiet
from bedrock_rft_sim.files import read_json_lines
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.train.run import RunResult

STEPS = 3


def plain_trl(
    recipe: Recipe, folder: Path, micro_batch: int, updates: int = 1
) -> list[dict[str, Any]]:
    """Train with nothing but TRL, written out here once more; return its log lines."""
    quiet.silence_libraries(offline=True)  # transformers' own deprecations
    import torch
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    spec = importlib.util.spec_from_file_location("plain", recipe.reward_path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def reward(completions: Any, **_: Any) -> list[float]:
        event = [{"id": str(i), "messages": turns} for i, turns in enumerate(completions)]
        return [answer["aggregate_reward_score"] for answer in module.lambda_handler(event, None)]

    data = plan.read_data(recipe, load_tokenizer(recipe.model))
    trainer = GRPOTrainer(
        model=recipe.model,
        processing_class=AutoTokenizer.from_pretrained(recipe.model, padding_side="left"),
        reward_funcs=reward,
        train_dataset=Dataset.from_list([{"prompt": list(row.messages)} for row in data.train]),
        args=GRPOConfig(
            output_dir=str(folder),
            max_steps=STEPS * updates,
            seed=0,
            learning_rate=1e-3,
            beta=0.001,
            use_bias_correction_kl=False,
            loss_type="dapo",
            num_generations=4,
            max_completion_length=8,
            per_device_train_batch_size=micro_batch,
            gradient_accumulation_steps=16 // micro_batch // updates,
            steps_per_generation=16 // micro_batch,
            shuffle_dataset=False,
            lr_scheduler_type="constant",
            optim="adamw_torch",  # the fused one rounds differently
            weight_decay=0.01,
            max_grad_norm=1.0,
            disable_dropout=True,
            bf16=False,
            gradient_checkpointing=False,
            use_cpu=True,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
    )
    trainer.train()
    assert torch.is_grad_enabled()
    return [line for line in trainer.state.log_history if "grad_norm" in line]


def test_losses_and_gradient_norms_equal_plain_trl_and_with_padding_to_the_bit(
    recipe_for: Callable[..., Recipe],
    run: Callable[..., RunResult],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the engine that draws TRL's random numbers."""
    recipe = recipe_for(f"local.maxSteps={STEPS}", "local.engine=transformers")
    packed = run(recipe, name="packed")
    monkeypatch.setattr("bedrock_rft_sim.train.packed.why_not_packed", lambda _: "to compare")
    padded = run(recipe, name="padded")
    theirs = plain_trl(recipe, tmp_path / "plain", micro_batch=16)
    for mine, plain in zip(logged(padded), theirs, strict=True):
        for name in ("reward", "loss", "grad_norm", "entropy", "kl"):
            assert mine[name] == plain[name], name
    for mine, plain in zip(logged(packed), theirs, strict=True):
        for name in ("reward", "loss", "grad_norm", "entropy", "kl"):
            assert mine[name] == pytest.approx(plain[name], rel=1e-4, abs=1e-6), name
    assert any(line["grad_norm"] > 0 for line in theirs)


def test_four_updates_a_step_equal_plain_trl_and_with_padding_to_the_bit(
    recipe_for: Callable[..., Recipe],
    run: Callable[..., RunResult],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """TRL shuffles answers over its updates; an update here learns from whole prompts."""
    monkeypatch.setattr("trl.trainer.grpo_trainer.shuffle_sequence_dict", lambda batch: batch)
    recipe = recipe_for(
        f"local.maxSteps={STEPS}", "local.engine=transformers", "local.training.miniBatchSize=1"
    )
    packed = run(recipe, name="packed")
    monkeypatch.setattr("bedrock_rft_sim.train.packed.why_not_packed", lambda _: "to compare")
    padded = run(recipe, name="padded")
    lines = plain_trl(recipe, tmp_path / "plain", micro_batch=4, updates=4)
    theirs = [lines[at : at + 4] for at in range(0, len(lines), 4)]
    for mine, plain in zip(logged(padded), theirs, strict=True):
        for name in ("loss", "grad_norm"):
            assert mine[name] == sum(each[name] for each in plain) / 4, name
        for name in ("entropy", "kl", "clip_ratio/region_mean"):
            assert mine[name] == pytest.approx(sum(each[name] for each in plain) / 4), name
        assert mine["reward"] == plain[0]["reward"]
    for mine, other in zip(logged(packed), logged(padded), strict=True):
        for name in ("reward", "loss", "grad_norm", "entropy", "kl"):
            assert mine[name] == pytest.approx(other[name], rel=1e-3, abs=1e-6), name
    assert [line["step"] for line in logged(packed)] == [1, 2, 3]


def logged(result: RunResult) -> list[dict[str, Any]]:
    return read_json_lines(RunFolder(result.folder).trainer_log)[:STEPS]


def test_smaller_micro_batches_change_speed_not_results(
    finished: tuple[Recipe, RunResult],
    run: Callable[..., RunResult],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe, result = finished
    whole = RunFolder.open(result.folder).read_metrics()
    monkeypatch.setattr("bedrock_rft_sim.train.build.fitting_micro_batch", lambda *_: 4)
    cut = RunFolder.open(run(recipe, name="cut").folder).read_metrics()
    for one, other in zip(whole[1:], cut[1:], strict=True):
        assert one["critic_rewards_mean"] == other["critic_rewards_mean"]
        for name in ("actor_entropy", "actor_grad_norm", "actor_pg_loss", "local_kl"):
            assert one[name] == pytest.approx(other[name], rel=1e-4, abs=1e-7), name
