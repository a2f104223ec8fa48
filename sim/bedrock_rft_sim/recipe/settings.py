"""The settings a rehearsal runs with, under inner names, each with where its value comes from.

Deliberately knows neither dialect's words: `bedrock_rft_sim.recipe.dialects` translates,
`bedrock_rft_sim.recipe.resolve` decides which of several values wins. Sources: defaults from
`bedrock_rft_sim.contract.defaults`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the trainer is told; one step is batch_size prompts × samples_per_prompt."""

    epochs: int
    batch_size: int
    """Prompts per step."""
    samples_per_prompt: int
    learning_rate: float
    max_prompt_length: int
    """Tokens."""
    inference_max_tokens: int
    eval_interval: int | None
    """Steps; None: min(10, steps of an epoch), which `bedrock_rft_sim.data.plan` works out."""
    reasoning_effort: str | None
    temperature: float
    top_p: float
    top_k: int
    """0 is off."""
    clip_range: float
    kl_coefficient: float
    gradient_clip: float
    weight_decay: float
    adam_beta1: float
    adam_beta2: float
    adam_epsilon: float
    training: Literal["lora", "full"]
    lora_rank: int
    lora_alpha: int
    checkpoint_interval: int
    """Steps."""
    shuffle: bool
    validation_split: float | None
    """Share of the training file kept for validation; None where there is no split."""
    validation_split_seed: int
    seed: int
    max_steps: int | None

    @property
    def rollouts_per_step(self) -> int:
        """How many answers are sampled in one step."""
        return self.batch_size * self.samples_per_prompt
