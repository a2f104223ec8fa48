"""Updates recomputed from the formulas, in float64, by code that shares none with ours or TRL's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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

STEPS = 2
GROUP = 4
TEMPERATURE = 0.7
CLIP = 0.02
RATE, DECAY, BETAS, EPSILON, LARGEST_NORM = 1e-3, 0.01, (0.9, 0.999), 1e-8, 1.0
LORA_SCALE = 64 / 32


@contextmanager
def trainer_of(recipe: Recipe, folder: Path, *, moved: float) -> Iterator[Any]:
    """Build a trainer whose policy has moved away from the reference model."""
    quiet.silence_libraries(offline=True)
    import torch

    from bedrock_rft_sim.train.build import build_trainer

    data = plan.read_data(recipe, load_tokenizer(recipe.model))
    steps = plan.steps(len(data.train), recipe.settings, validates=False)
    device = Device("cpu", "", "float32", 2**33)
    with RunFolder.create(folder, "run") as run, Grader(reward_of(recipe)) as grader:
        trainer = build_trainer(
            Rehearsal(recipe, data, steps, run, device, print), grader, Interrupt()
        )
        torch.manual_seed(1)
        with torch.no_grad():
            for weight in trainer.model.parameters():
                if weight.requires_grad:
                    weight.add_(torch.randn_like(weight), alpha=moved)
        yield trainer


class Policy:
    """A model with its reference, by `torch.func.functional_call` over plain tensors."""

    def __init__(self, folder: str, weights: dict[str, Any]) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
        self._base = {name: w.detach() for name, w in self._model.named_parameters()}
        self.trained = {n: w.detach().double().requires_grad_() for n, w in weights.items()}

    def logprobs(
        self, prompt: list[int], answer: list[int], *, reference: bool = False
    ) -> tuple[Any, Any]:
        """Return log-probability and entropy of each token of an answer."""
        import torch

        weights = self._base if reference else {**self._base, **self._now()}
        ids = torch.tensor([prompt + answer])
        logits = torch.func.functional_call(self._model, weights, (ids,)).logits
        logits = logits[0, len(prompt) - 1 : -1].double() / TEMPERATURE
        every = logits - torch.logsumexp(logits, dim=-1, keepdim=True)
        return every[range(len(answer)), answer], -(every.exp() * every).sum(dim=-1)

    def _now(self) -> dict[str, Any]:
        pairs = [name for name in self.trained if ".lora_A." in name]
        if not pairs:
            return self.trained
        found = {}
        for a in pairs:
            name = a.removeprefix("base_model.model.").replace(".lora_A.default", "")
            b = a.replace(".lora_A.", ".lora_B.")
            found[name] = self._base[name] + LORA_SCALE * self.trained[b] @ self.trained[a]
        return found


@dataclass
class AdamW:
    """The formulas of the paper; gains and biases do not decay, as transformers has it."""

    weights: dict[str, Any]
    step: int = 0
    first: dict[str, Any] = field(default_factory=dict)
    second: dict[str, Any] = field(default_factory=dict)

    def update(self) -> float:
        """Move the weights by their gradients; return the norm before clipping."""
        import torch

        gradients = {name: w.grad for name, w in self.weights.items() if w.grad is not None}
        norm = sum(float((g**2).sum()) for g in gradients.values()) ** 0.5
        shrink = min(1.0, LARGEST_NORM / (norm + 1e-6))
        self.step += 1
        with torch.no_grad():
            for name, gradient in gradients.items():
                weight, g = self.weights[name], gradient * shrink
                first = BETAS[0] * self.first.get(name, 0) + (1 - BETAS[0]) * g
                second = BETAS[1] * self.second.get(name, 0) + (1 - BETAS[1]) * g**2
                self.first[name], self.second[name] = first, second
                if "norm" not in name and "bias" not in name:
                    weight.mul_(1 - RATE * DECAY)
                scale = (second / (1 - BETAS[1] ** self.step)).sqrt() + EPSILON
                weight.sub_(RATE * first / (1 - BETAS[0] ** self.step) / scale)
                weight.grad = None
        return norm


def advantages(grades: Sequence[float], epsilon: float) -> list[float]:
    found = []
    for start in range(0, len(grades), GROUP):
        group = grades[start : start + GROUP]
        mean = sum(group) / GROUP
        deviation = (sum((grade - mean) ** 2 for grade in group) / (GROUP - 1)) ** 0.5
        found += [(grade - mean) / (deviation + epsilon) for grade in group]
    return found


def recomputed(
    policy: Policy, adam: AdamW, rollouts: list[dict[str, Any]], prompts: list[list[int]], *,
    updates: int, beta: float,
) -> dict[str, float]:  # fmt: skip
    """Make a step's updates; return its metrics."""
    import torch

    answers = [rollout["tokens"] for rollout in rollouts]
    pairs = list(zip(prompts, answers, strict=True))
    tokens = sum(map(len, answers))
    with torch.no_grad():
        old = [policy.logprobs(*pair) for pair in pairs]
        reference = [policy.logprobs(*pair, reference=True)[0] for pair in pairs]
    grades = [rollout["grade"] for rollout in rollouts]
    in_loss, in_record = advantages(grades, 1e-4), advantages(grades, 1e-6)
    size = len(rollouts) // updates
    seen = {"loss": 0.0, "norm": 0.0, "kl": 0.0, "clipped": 0.0, "policy": 0.0}
    for start in range(0, len(rollouts), size):
        for i in range(start, start + size):
            now, _ = policy.logprobs(*pairs[i])
            ratio = torch.exp(now - old[i][0])
            within = torch.clamp(ratio, 1 - CLIP, 1 + CLIP)
            gap = reference[i] - now
            kl = torch.exp(gap) - gap - 1
            loss = -torch.minimum(ratio * in_loss[i], within * in_loss[i]) + beta * kl
            loss = loss.sum() / (tokens / updates)
            loss.backward()
            seen["loss"] += loss.item() / updates
            seen["kl"] += kl.sum().item() / tokens
            surrogate = torch.minimum(ratio * in_record[i], within * in_record[i])
            seen["policy"] -= surrogate.sum().item() / tokens
            bites = (ratio * in_loss[i] > within * in_loss[i]).sum()
            seen["clipped"] += bites.item() / tokens
        seen["norm"] += adam.update() / updates
    seen["entropy"] = sum(entropy.sum().item() for _, entropy in old) / tokens
    return seen


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def assert_equal_to_formulas(recipe: Recipe, folder: Path, *, moved: float) -> list[dict[str, Any]]:
    """Train, and make the same updates by other code; return the metrics recomputed."""
    with trainer_of(recipe, folder, moved=moved) as trainer:
        weights = {n: w for n, w in trainer.model.named_parameters() if w.requires_grad}
        policy = Policy(trainer.model.config._name_or_path, weights)
        trainer.train()
    adam = AdamW(policy.trained)
    run = folder / "run"
    chat, options = load_tokenizer(recipe.model), plan.template_options(recipe)
    data = plan.read_data(recipe, chat)
    texts = {row.id: chat.encode(chat.render(row.messages, **options)) for row in data.train}
    beta, updates = recipe.settings.kl_coefficient, recipe.settings.updates_per_step
    steps = []
    for line, log in zip(
        read_lines(run / "metrics.jsonl"), read_lines(run / "trainer.jsonl"), strict=False
    ):
        rollouts = read_lines(run / "rollouts" / f"step-{line['step']:06d}.jsonl")
        prompts = [texts[rollout["prompt_id"]] for rollout in rollouts]
        mine = recomputed(policy, adam, rollouts, prompts, updates=updates, beta=beta)
        assert log["loss"] == pytest.approx(mine["loss"], rel=2e-3, abs=2e-6)
        assert line["actor_grad_norm"] == pytest.approx(mine["norm"], rel=2e-3)
        assert line["actor_entropy"] == pytest.approx(mine["entropy"], rel=1e-4)
        assert line["actor_pg_loss"] == pytest.approx(mine["policy"], rel=2e-3, abs=2e-6)
        assert line["local_clip_fraction"] == pytest.approx(mine["clipped"], abs=0.01)
        assert line.get("local_kl", mine["kl"]) == pytest.approx(mine["kl"], rel=2e-3)
        assert ("local_kl" in line) == (beta > 0)
        steps.append(mine)
    assert len(steps) == recipe.settings.max_steps
    for name, weight in weights.items():
        apart = (policy.trained[name] - weight).abs().mean()
        assert apart < 0.05 * RATE * len(steps) * updates, name
    return steps


# Each pair of values is quick once; the others are slow.
@pytest.mark.parametrize(
    ("method", "beta", "updates"),
    [
        ("full", 0.0, 1),
        ("full", 0.05, 4),
        ("lora", 0.0, 4),
        ("lora", 0.05, 1),
        pytest.param("full", 0.0, 4, marks=pytest.mark.slow),
        pytest.param("full", 0.05, 1, marks=pytest.mark.slow),
        pytest.param("lora", 0.0, 1, marks=pytest.mark.slow),
        pytest.param("lora", 0.05, 4, marks=pytest.mark.slow),
    ],
)
def test_loss_divergence_gradient_and_clip_share_follow_from_the_formulas(
    method: str, beta: float, updates: int, recipe_for: Callable[..., Recipe], tmp_path: Path
) -> None:
    recipe = recipe_for(
        f"local.maxSteps={STEPS}",
        f"local.training.method={method}",
        f"local.training.klCoefficient={beta}",
        f"local.training.temperature={TEMPERATURE}",
        f"local.training.clipRange={CLIP}",
        f"local.training.miniBatchSize={4 // updates}",
    )
    assert recipe.settings.updates_per_step == updates
    steps = assert_equal_to_formulas(recipe, tmp_path / "runs", moved=0.05)
    assert all((step["clipped"] > 0) == (updates > 1) for step in steps)


@pytest.mark.slow
def test_a_batch_of_128_makes_four_updates_on_the_embedded_model(
    recipe_for: Callable[..., Recipe], tmp_path: Path
) -> None:
    recipe = recipe_for(
        "local.maxSteps=1",
        "local.overrides.batchSize=128",
        f"local.training.temperature={TEMPERATURE}",
        f"local.training.clipRange={CLIP}",
        model="tiny",
        rows=128,
    )
    assert recipe.settings.updates_per_step == 4
    (step,) = assert_equal_to_formulas(recipe, tmp_path / "runs", moved=0.0)
    assert step["clipped"] > 0
