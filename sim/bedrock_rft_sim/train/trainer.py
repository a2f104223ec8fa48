"""TRL's GRPO trainer, watched.

The algorithm is TRL's, untouched: its loss, its advantages, its schedule. Two methods are answered
by other means: sampling, unless TRL's vLLM does it, by `bedrock_rft_sim.engine.sampler`, and the
log-probabilities of rollouts by `bedrock_rft_sim.train.packed`, which returns TRL's numbers from
fewer tokens. Every other override calls TRL's own method. What is added is sight: which rollout
each loss row belongs to, the entropy and log-probability of each rollout's tokens, and the seconds
each phase took.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import torch
from transformers import PrinterCallback, TrainerCallback
from trl import GRPOTrainer
from trl.trainer.utils import split_tensor_dict

from bedrock_rft_sim.engine.sampler import Engine, Sampler, SamplingParams
from bedrock_rft_sim.train.packed import PackedScores, PaddedRows
from bedrock_rft_sim.train.record import StepRecorder
from bedrock_rft_sim.train.sharded import ShardedSampler, why_sharded

MEANS_OF_UPDATES: Final = ("loss", "grad_norm")
"""What transformers logs of each update; TRL's own metrics are means over all passes of a step."""


class RehearsalTrainer(GRPOTrainer):
    """A `GRPOTrainer` that reports what it sees to a `StepRecorder`."""

    _buffered_inputs: list[dict[str, Any]]
    """TRL's: a step's micro-batches."""

    def __init__(
        self,
        *,
        recorder: StepRecorder,
        sampling: SamplingParams,
        engine: str,
        dtype: str,
        **kwargs: Any,
    ) -> None:
        self._recorder = recorder
        self._sampling = sampling
        self._updates = recorder.updates_per_step
        self._of_updates: list[dict[str, float]] = []  # of the updates of the step so far
        self._is_before_updates = False
        self._passes = 0  # of the step's micro-batches so far
        self._token_scores: tuple[torch.Tensor, torch.Tensor] | None = None
        self._is_trained_R: torch.Tensor | None = None
        self._in_order: list[dict[str, Any]] | None = None  # `_buffered_inputs` once unshuffled
        super().__init__(**kwargs)
        if getattr(self.model, "is_loaded_in_4bit", False):
            self._keep_adapters_precise()
        outside = "transformers" if self.use_vllm else engine
        sharded = why_sharded(self)
        self.sampler = (
            Sampler(self.model, self.processing_class, dtype=dtype, engine=outside)
            if sharded is None
            else ShardedSampler(self, recorder.world, why=sharded, dtype=dtype, engine=outside)
        )
        if self.use_vllm:
            why = f"local.engine is vllm, {self.vllm_mode}; transformers answers for validation"
            self.sampler.engine = Engine("vllm", why)
        self._packed = PackedScores(
            self.model,
            autocast=self.accelerator.autocast,
            is_mixed=self.accelerator.mixed_precision != "no",
            why_padded=sharded,
            decided=recorder.update_decided,
        )
        self.add_callback(StepCalendar(recorder))
        self.remove_callback(PrinterCallback)  # it prints every log line; the recorder keeps them

    def _keep_adapters_precise(self) -> None:
        """Undo TRL's cast to bfloat16, in which updates at small rates round to nothing."""
        for weight in self.model.parameters():
            if weight.requires_grad:
                weight.data = weight.data.float()

    def _generate(self, prompts: list[Any]) -> Any:
        self._recorder.step = self.state.global_step // self._updates + 1
        with self._recorder.clock.phase("generate"):
            return super()._generate(prompts)

    def _tokenize_prompts(self, prompts: list[Any]) -> Any:
        """Render a group's prompt once, where there is text only."""
        firsts, size = prompts[:: self.num_generations], self.num_generations
        if [prompt for prompt in firsts for _ in range(size)] == prompts:
            ids, images, fields = super()._tokenize_prompts(firsts)
            if images is None and not fields:
                return [each for each in ids for _ in range(size)], images, fields
        return super()._tokenize_prompts(prompts)

    def _generate_single_turn(self, prompt_ids: list[list[int]], *more: Any, **named: Any) -> Any:
        far = self._recorder.doing("sampling", len(prompt_ids))
        if self.use_vllm:
            rows, logprobs = super()._generate_single_turn(prompt_ids, *more, **named)
            self._recorder.sampled([self.sampler.answer(row) for row in rows], self.sampler.engine)
            return rows, logprobs
        answers = self.sampler.sample(prompt_ids, self._sampling, far=far)
        self._recorder.sampled(answers, self.sampler.engine)
        return [answer.tokens for answer in answers], None

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        inputs = super()._prepare_inputs(generation_batch)
        if not self.model.training or (self._packed.why_padded and self._updates == 1):
            return inputs
        if self._buffered_inputs is not self._in_order:  # new, shuffled and cut
            self._buffered_inputs = self._in_order = unshuffled(self._buffered_inputs)
        return self._buffered_inputs[self._step % self.args.steps_per_generation]

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self._packed.forget()
        self._passes = 0
        self._is_before_updates = self._updates > 1
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        # (P*G,) or this process's share; travels through TRL's shuffle and split, so that loss rows
        # find their rollout.
        first = self._recorder.world.rank * len(inputs)
        index = torch.arange(first, first + len(inputs), device=output["prompt_ids"].device)
        output["rollout_index"] = index
        if self._updates > 1:
            self._report(output, **self._policy(output["completion_mask"]))
        return output

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        **options: Any,
    ) -> Any:
        theirs = super()._get_per_token_logps_and_entropies
        rows = PaddedRows(input_ids, attention_mask, logits_to_keep)
        if self._is_before_updates:  # TRL scores the policy that sampled first, then the reference
            self._is_before_updates, options["compute_entropy"] = False, True
        scores = self._packed.score(theirs, model, rows, is_trained_R=self._is_trained_R, **options)
        if options.get("compute_entropy"):
            self._token_scores = (scores[0].detach(), scores[1].detach())  # each (B, T)
        return scores

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        passes = self.args.steps_per_generation
        self._recorder.doing("learning", passes)(self._passes, self._passes / passes)
        self._passes += 1
        if self.beta == 0:  # without the divergence, an advantage of 0 means a gradient of 0
            self._is_trained_R = inputs["advantages"] != 0
        loss: torch.Tensor = super()._compute_loss(model, inputs)
        assert self._token_scores is not None
        logprobs, mask = self._token_scores[0], inputs["completion_mask"]
        seen = self._policy(mask) if self._updates == 1 else {}
        if "ref_per_token_logps" in inputs:
            seen["kl"] = token_mean(k3(inputs["ref_per_token_logps"] - logprobs), mask)
        self._report(inputs, **seen)
        if self._updates > 1:
            ratio, clipped = clipping(
                torch.exp(logprobs - inputs["old_per_token_logps"]),
                inputs["advantages"][:, None],
                self.epsilon_low,
                self.epsilon_high,
            )
            self._recorder.clipped(
                inputs["rollout_index"].tolist(),
                token_mean(ratio, mask).tolist(),
                token_mean(clipped.float(), mask).tolist(),
            )
        self._token_scores = self._is_trained_R = None
        return loss

    def _policy(self, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return entropy and log-probability of each rollout, (R,), from the pass just made."""
        assert self._token_scores is not None
        logprobs, entropies = self._token_scores
        return {"entropy": token_mean(entropies, mask), "logprob": (logprobs * mask).sum(dim=1)}

    def _report(self, rows: dict[str, Any], **scores: torch.Tensor) -> None:
        values = {name: each.tolist() for name, each in scores.items()}
        self._recorder.token_scores(rows["rollout_index"].tolist(), values)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Let TRL log a step with the means over its updates, then record it."""
        if "grad_norm" in logs:  # else it is the summary at the end
            self._of_updates.append(logs)
            if len(self._of_updates) < self._updates:
                return
            sums = {name: sum(each[name] for each in self._of_updates) for name in MEANS_OF_UPDATES}
            means = {name: total / self._updates for name, total in sums.items()}
            logs, self._of_updates = {**logs, **means}, []
        updates = self.state.global_step
        self.state.global_step = updates // self._updates  # for whoever reads or draws the log
        super().log(logs, start_time)
        self.state.global_step = updates
        del self.state.log_history[:-1]  # trainer.jsonl keeps them all, every checkpoint would too
        log = dict(self.state.log_history[-1])
        self._recorder.logged(log["step"], log, self.sampler)
        ends = self._recorder.early_stop is not None or self._recorder.is_stopping()
        if ends and not self.control.should_training_stop:
            # TRL logs before it saves, so this step still gets its checkpoint.
            self.control.should_training_stop = self.control.should_save = True

    def start(self) -> None:
        """Validate the model as it is before the first step, once its weights are in place."""
        start = partial(self._recorder.start, self.sampler)
        if isinstance(self.sampler, ShardedSampler):
            self.add_callback(AtBeginning(start))
        else:
            start()

    def load_weights(self, checkpoint: str) -> None:
        """Take the weights of a checkpoint, without training on."""
        self._load_from_checkpoint(checkpoint)

    def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
        """Write no model card into checkpoints: the run folder is the record."""


def unshuffled(batches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the micro-batches of a step with the rollouts in the order in which they were sampled.

    The gradient of an update is their sum, so their order in it changes rounding only; groups that
    stay together share their prompt, the reference model's pass was cut in the same way, and an
    update learns from so many prompts, not from answers to all.
    """
    order = torch.cat([batch["rollout_index"] for batch in batches]).argsort()
    whole = {
        name: torch.cat([batch[name] for batch in batches])[order] if value.ndim else value
        for name, value in batches[0].items()
        if value is not None
    }
    parts: list[dict[str, Any]] = split_tensor_dict(whole, len(batches))
    return parts


def token_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean over each rollout's tokens, (R,)."""
    means: torch.Tensor = (values * mask).sum(dim=1) / mask.sum(dim=1)
    return means


def clipping(
    ratio: torch.Tensor, advantage: torch.Tensor, low: float, high: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the loss multiplies an advantage by, and whether the clip decided it, per token.

    The clip bites where a good answer has become likelier, or a bad one less likely, than allowed.
    """
    is_clipped = torch.where(advantage > 0, ratio > 1 + high, (ratio < 1 - low) & (advantage < 0))
    return torch.where(is_clipped, ratio.clamp(1 - low, 1 + high), ratio), is_clipped


def k3(log_ratio: torch.Tensor) -> torch.Tensor:
    """Return Schulman's k3 estimate of the divergence per token, as in TRL's loss."""
    return torch.exp(log_ratio) - log_ratio - 1


class AtBeginning(TrainerCallback):
    """Does some work when a model has been prepared for training."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work

    def on_train_begin(self, *_args: Any, **_kwargs: Any) -> None:
        """Do it."""
        self._work()


class StepCalendar(TrainerCallback):
    """Requests checkpoints on the planned steps and stops the run on request."""

    def __init__(self, recorder: StepRecorder) -> None:
        self._recorder = recorder

    def on_step_end(self, _args: Any, state: Any, control: Any, **_kwargs: Any) -> None:
        """Save on the planned steps, and when the user wants to stop; TRL calls at every update."""
        step, further = divmod(state.global_step, self._recorder.updates_per_step)
        if further:
            return
        if self._recorder.stop_requested():
            control.should_training_stop = True
        control.should_save = (
            step in self._recorder.checkpoint_steps or control.should_training_stop
        )
        if control.should_save:
            self._recorder.doing("saving")

    def on_save(self, _args: Any, state: Any, _control: Any, **_kwargs: Any) -> None:
        """Mark the checkpoint as complete, so that a resume can trust it."""
        self._recorder.checkpoint_saved(state.global_step // self._recorder.updates_per_step)
