"""Run folders that are made up but whole, as a trainer writes them, for tests that read runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bedrock_rft_sim.data import Row
from bedrock_rft_sim.recipe import Recipe, load_recipe
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.runs.rollouts import Rollout, group_advantages

Answers = Mapping[int, Sequence[Rollout]]
"""By step."""


def write_run(
    parent: str | Path,
    name: str = "run",
    *,
    recipe: Recipe | None = None,
    resolved: Mapping[str, Any] | None = None,
    prompts: tuple[Iterable[Row], Iterable[Row]] | None = None,
    lines: Iterable[Mapping[str, Any]] = (),
    rollouts: Answers | None = None,
    validations: Answers | None = None,
    **record: Any,
) -> RunFolder:
    """Write a run, completed unless `record` says otherwise, and give it back open for writing.

    The recipe is the quickstart's unless given; `resolved` stands in for what it was understood as.
    """
    recipe = recipe or load_recipe("quickstart")
    folder = RunFolder.create(parent, name)
    if prompts is not None:
        folder.write_prompts(*prompts)
    understood = recipe.resolved() if resolved is None else resolved
    folder.write_recipe(recipe.text, resolved=understood, request=recipe.request)
    for step, answers in (rollouts or {}).items():
        folder.write_rollouts(step, answers)
    for step, answers in (validations or {}).items():
        folder.write_validation(step, answers)
    for line in lines:
        folder.append_metrics(line)
    folder.write_record(**{"status": "Completed", "error": None, **record})
    return folder


def stated(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return values by name as a resolved recipe holds them."""
    return {
        name: {"value": value, "origin": "stated", "source": "a test"}
        for name, value in values.items()
    }


def metric_line(step: int, total: int, *, reward: float, **more: Any) -> dict[str, Any]:
    """Return a line of a training step with every metric that a mantle event has."""
    return {
        "step": step,
        "total_steps": total,
        "critic_rewards_mean": reward,
        "response_length_mean": 10.0,
        "actor_entropy": 1.0,
        "actor_grad_norm": 0.5,
        "actor_pg_loss": 0.1,
        "critic_advantages_mean": 0.0,
        "validation_rewards_mean": reward,
        **more,
    }


def answer(step: int, prompt_id: str, text: str, grade: float, **more: Any) -> Rollout:
    """Return one answer of one token; the only one to its prompt and without advantage."""
    plain: dict[str, Any] = {"sample": 0, "tokens": [1], "stop_reason": "stop", "components": []}
    fields = {**plain, "advantage": None, **more}
    return Rollout(step=step, prompt_id=prompt_id, text=text, grade=grade, **fields)


def group(step: int, prompt_id: str, graded: Sequence[tuple[str, float]]) -> list[Rollout]:
    """Return the answers to one prompt, text and grade each, with their advantages."""
    [advantages] = group_advantages([[grade for _, grade in graded]])
    return [
        answer(step, prompt_id, text, grade, sample=sample, advantage=advantages[sample])
        for sample, (text, grade) in enumerate(graded)
    ]
