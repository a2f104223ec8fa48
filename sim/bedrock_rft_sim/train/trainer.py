"""TRL's GRPO trainer, watched.

The algorithm is TRL's, untouched: every override but one calls TRL's own method and returns its
result. The one is sampling: `bedrock_rft_sim.engine.sampler` answers the prompts, to the same
tokens as TRL would. What is added is sight: which rollout each loss row belongs to, the entropy and
log-probability of each rollout's tokens, and the seconds each phase took.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback
from trl import GRPOTrainer

from bedrock_rft_sim.engine.sampler import Sampler, SamplingParams
from bedrock_rft_sim.train.record import StepRecorder


class RehearsalTrainer(GRPOTrainer):
    """A `GRPOTrainer` that reports what it sees to a `StepRecorder`."""

    def __init__(self, *, recorder: StepRecorder, sampling: SamplingParams, **kwargs: Any) -> None:
        self._recorder = recorder
        self._sampling = sampling
        self._token_scores: tuple[torch.Tensor, torch.Tensor] | None = None
        super().__init__(**kwargs)
        # Accelerate has put mixed precision into the model's forward pass already.
        self.sampler = Sampler(self.model, self.processing_class)
        self.add_callback(StepCalendar(recorder))
        self.remove_callback(PrinterCallback)  # it prints every log line; the recorder keeps them

    def _generate(self, prompts: list[Any]) -> Any:
        with self._recorder.clock.phase("generate"):
            return super()._generate(prompts)

    def _generate_single_turn(self, prompt_ids: list[list[int]], *_: Any, **__: Any) -> Any:
        answers = self.sampler.sample(prompt_ids, self._sampling)
        self._recorder.sampled(answers)
        return [answer.tokens for answer in answers], None

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        # (P*G,) Travels through TRL's shuffle and split, so that loss rows find their rollout.
        output["rollout_index"] = torch.arange(len(inputs), device=output["prompt_ids"].device)
        return output

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        scores = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        if kwargs.get("compute_entropy"):
            self._token_scores = (scores[0].detach(), scores[1].detach())  # each (B, T)
        return scores

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        loss: torch.Tensor = super()._compute_loss(model, inputs)
        assert self._token_scores is not None
        logprobs, entropies = self._token_scores
        mask = inputs["completion_mask"]
        tokens = mask.sum(dim=1)
        scores = {
            "entropy": (entropies * mask).sum(dim=1) / tokens,
            "logprob": (logprobs * mask).sum(dim=1),
        }
        if "ref_per_token_logps" in inputs:
            scores["kl"] = (k3(inputs["ref_per_token_logps"] - logprobs) * mask).sum(dim=1) / tokens
        self._recorder.token_scores(
            inputs["rollout_index"].tolist(),
            {name: values.tolist() for name, values in scores.items()},
        )
        self._token_scores = None
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Let TRL log, then record the step from what it logged."""
        super().log(logs, start_time)
        self._recorder.logged(
            self.state.global_step, dict(self.state.log_history[-1]), self.sampler
        )
        if self._recorder.early_stop is not None and not self.control.should_training_stop:
            # TRL logs before it saves, so this step still gets its checkpoint.
            self.control.should_training_stop = self.control.should_save = True

    def start(self) -> None:
        """Validate the model as it is before the first step."""
        self._recorder.start(self.sampler)

    def load_weights(self, checkpoint: str) -> None:
        """Take the weights of a checkpoint, without training on."""
        self._load_from_checkpoint(checkpoint)

    def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
        """Write no model card into checkpoints: the run folder is the record."""


def k3(log_ratio: torch.Tensor) -> torch.Tensor:
    """Return Schulman's k3 estimate of the divergence per token, as in TRL's loss."""
    return torch.exp(log_ratio) - log_ratio - 1


class StepCalendar(TrainerCallback):
    """Requests checkpoints on the planned steps and stops the run on request."""

    def __init__(self, recorder: StepRecorder) -> None:
        self._recorder = recorder

    def on_step_end(self, _args: Any, state: Any, control: Any, **_kwargs: Any) -> None:
        """Save on the planned steps, and when the user wants to stop."""
        if self._recorder.stop_requested():
            control.should_training_stop = True
        control.should_save = (
            state.global_step in self._recorder.checkpoint_steps or control.should_training_stop
        )

    def on_save(self, _args: Any, state: Any, _control: Any, **_kwargs: Any) -> None:
        """Mark the checkpoint as complete, so that a resume can trust it."""
        self._recorder.checkpoint_saved(state.global_step)
