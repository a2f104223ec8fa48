"""Every metric of the table, recomputed from the saved rollouts by other code than ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.train.run import RunResult

STEPS = 3
GROUP = 4


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def rollouts_of(folder: Path, step: int) -> list[dict[str, Any]]:
    return read_lines(folder / "rollouts" / f"step-{step:06d}.jsonl")


def test_rewards_lengths_and_advantages_follow_from_the_rollouts(
    finished: tuple[Recipe, RunResult],
) -> None:
    folder = finished[1].folder
    lines = {line["step"]: line for line in read_lines(folder / "metrics.jsonl")}
    assert sorted(lines) == [0, 1, 2, 3]
    for step in range(1, STEPS + 1):
        rollouts, line = rollouts_of(folder, step), lines[step]
        grades_P_G = np.array([r["grade"] for r in rollouts]).reshape(-1, GROUP)
        lengths = np.array([len(r["tokens"]) for r in rollouts])
        spread = grades_P_G.std(axis=1, ddof=1, keepdims=True)
        advantages = (
            (grades_P_G - grades_P_G.mean(axis=1, keepdims=True)) / (spread + 1e-6)
        ).ravel()
        token_mean = (advantages * lengths).sum() / lengths.sum()
        assert line["total_steps"] == STEPS
        assert line["critic_rewards_mean"] == pytest.approx(grades_P_G.mean())
        assert line["response_length_mean"] == pytest.approx(lengths.mean())
        assert line["critic_advantages_mean"] == pytest.approx(token_mean, abs=1e-9)
        assert line["actor_pg_loss"] == pytest.approx(-token_mean, abs=1e-9)
        mixed = (grades_P_G.min(axis=1) != grades_P_G.max(axis=1)).mean()
        assert line["local_groups_mixed"] == pytest.approx(mixed)
        cut = np.mean([r["stop_reason"] == "length" for r in rollouts])
        assert line["local_truncated_share"] == pytest.approx(cut)
    assert any(line.get("local_groups_mixed") for line in lines.values())


def test_validation_metrics_follow_from_the_validation_rollouts(
    finished: tuple[Recipe, RunResult],
) -> None:
    folder = finished[1].folder
    for line in read_lines(folder / "metrics.jsonl"):
        path = folder / "validation" / f"step-{line['step']:06d}.jsonl"
        assert path.exists() == (line["step"] in (0, 2, 3))
        if not path.exists():
            assert "validation_rewards_mean" not in line
            continue
        answers = read_lines(path)
        assert line["validation_rewards_mean"] == pytest.approx(
            np.mean([answer["grade"] for answer in answers])
        )
        assert line["validation_response_length_mean"] == pytest.approx(
            np.mean([len(answer["tokens"]) for answer in answers])
        )


def test_entropy_and_gradient_norm_of_the_first_step_follow_from_the_base_model(
    finished: tuple[Recipe, RunResult],
) -> None:
    """At step 1 the policy is the base model, so one forward and backward pass tells everything."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    recipe, folder = finished[0], finished[1].folder
    rollouts = rollouts_of(folder, 1)
    tokenizer = AutoTokenizer.from_pretrained(recipe.model)
    model = AutoModelForCausalLM.from_pretrained(recipe.model, dtype=torch.float32)
    prompts = {
        record["id"]: tokenizer.apply_chat_template(
            record["messages"], add_generation_prompt=True, return_dict=True
        )["input_ids"]
        for record in read_lines(Path(recipe.local.trainingData))
    }
    total_tokens = sum(len(r["tokens"]) for r in rollouts)
    entropy_sum, loss = 0.0, torch.zeros(())
    for rollout, advantage in zip(rollouts, trl_advantages(rollouts), strict=True):
        prompt = prompts[rollout["prompt_id"]]
        ids = torch.tensor([prompt + rollout["tokens"]])
        logits = model(ids).logits[0, len(prompt) - 1 : -1]  # (T, V)
        logprobs = torch.log_softmax(logits, dim=-1)
        taken = logprobs.gather(1, torch.tensor(rollout["tokens"])[:, None]).sum()
        entropies = -(logprobs.exp() * logprobs).sum(dim=-1)  # (T,)
        assert rollout["entropy"] == pytest.approx(entropies.mean().item(), rel=1e-4)
        assert rollout["logprob"] == pytest.approx(taken.item(), rel=1e-4)
        entropy_sum += entropies.sum().item()
        loss = loss - advantage * taken / total_tokens  # the KL term has no gradient here
    loss.backward()
    norm = torch.sqrt(sum((p.grad**2).sum() for p in model.parameters() if p.grad is not None))
    line = read_lines(folder / "metrics.jsonl")[1]
    assert line["actor_entropy"] == pytest.approx(entropy_sum / total_tokens, rel=1e-4)
    assert line["actor_grad_norm"] == pytest.approx(norm.item(), rel=1e-3)


def trl_advantages(rollouts: list[dict[str, Any]]) -> list[float]:
    """TRL adds 1e-4, where verl adds 1e-6, to the group's standard deviation."""
    grades_P_G = np.array([r["grade"] for r in rollouts]).reshape(-1, GROUP)
    centred = grades_P_G - grades_P_G.mean(axis=1, keepdims=True)
    return list((centred / (grades_P_G.std(axis=1, ddof=1, keepdims=True) + 1e-4)).ravel())


def test_events_and_csv_say_the_same_as_the_metrics(finished: tuple[Recipe, RunResult]) -> None:
    folder = finished[1].folder
    lines = [line for line in read_lines(folder / "metrics.jsonl") if line["step"] > 0]
    events = [e for e in read_lines(folder / "events.jsonl") if e["type"] == "metrics"]
    rows = (folder / "step_wise_training_metrics.csv").read_text().splitlines()
    columns = rows[0].split(",")
    assert len(lines) == len(events) == len(rows) - 1 == STEPS
    for line, event, row in zip(lines, events, rows[1:], strict=True):
        assert event["message"] == f"Step {line['step']}/{STEPS}: training metrics"
        assert event["data"]["critic_rewards_mean"] == line["critic_rewards_mean"]
        assert event["data"]["actor_entropy"] == line["actor_entropy"]
        cells = dict(zip(columns, row.split(","), strict=True))
        assert float(cells["train_reward_mean"]) == line["critic_rewards_mean"]
        assert float(cells["gradient_norm"]) == line["actor_grad_norm"]
