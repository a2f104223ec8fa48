"""Put the trainer together: model, data, reward, settings, validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from bedrock_rft_sim.data import Row
from bedrock_rft_sim.data.tokens import plain_messages
from bedrock_rft_sim.engine import device as machine
from bedrock_rft_sim.engine.load import load_tokenizer, model_shape, model_source
from bedrock_rft_sim.engine.sampler import SamplingParams
from bedrock_rft_sim.grader import Grader
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.train.packed import why_not_packed
from bedrock_rft_sim.train.packing import most_tokens
from bedrock_rft_sim.train.record import Rehearsal, StepRecorder
from bedrock_rft_sim.train.reward import LambdaReward
from bedrock_rft_sim.train.settings import grpo_config, lora_config
from bedrock_rft_sim.train.trainer import RehearsalTrainer
from bedrock_rft_sim.train.validation import Validation


def build_trainer(
    rehearsal: Rehearsal, grader: Grader, stop_requested: Callable[[], bool]
) -> RehearsalTrainer:
    """Return TRL's trainer, ready to train and wired to the grader and the recorder.

    Raises:
        TrainingError: the model or its tokenizer can't be loaded.
    """
    disable_progress_bar()  # of loading weights: our own progress is the one to watch
    recipe, data, settings = rehearsal.recipe, rehearsal.data, rehearsal.recipe.settings
    source = model_source(recipe.model)
    validation = Validation(recipe, data, grader) if data.validation else None
    recorder = StepRecorder(rehearsal, validation, stop_requested)
    return RehearsalTrainer(
        recorder=recorder,
        sampling=SamplingParams.of_rollouts(settings),
        engine=recipe.local.engine,
        dtype=rehearsal.device.dtype,
        model=source,
        processing_class=load_tokenizer(source),
        reward_funcs=LambdaReward(grader, data.train, recorder),
        train_dataset=prompts(data.train),
        peft_config=lora_config(settings),
        args=grpo_config(rehearsal, micro_batch=_micro_batch(rehearsal)),
    )


def prompts(rows: Sequence[Row]) -> Dataset:
    """Return TRL's view of the rows: the chat messages, and the way back to the row."""
    return Dataset.from_list(
        [{"prompt": plain_messages(row.messages), "row_index": i} for i, row in enumerate(rows)]
    )


def _micro_batch(rehearsal: Rehearsal) -> int:
    """A resumed run keeps its cut, since another one would round differently."""
    size: int | None = rehearsal.folder.read_record().get("micro_batch")
    if size is None:
        size = fitting_micro_batch(rehearsal.recipe, rehearsal.device)
        rehearsal.folder.write_record(micro_batch=size)
    return size


def fitting_micro_batch(recipe: Recipe, device: machine.Device) -> int:
    """Return how many rollouts one forward and backward pass takes on this device."""
    settings, source = recipe.settings, model_source(recipe.model)
    shape = model_shape(source)
    prompt, answer = settings.max_prompt_length, settings.inference_max_tokens
    is_packed = why_not_packed(_skeleton(source)) is None

    def bytes_of(rollouts: int) -> int:
        tokens = rollouts * (prompt + answer)
        if is_packed:
            tokens = most_tokens(rollouts, settings.samples_per_prompt, prompt, answer)
        return machine.bytes_of_pass(shape, tokens)

    rollouts = settings.rollouts_per_update
    return machine.micro_batch(rollouts, bytes_of=bytes_of, free_bytes=device.free_bytes)


def _skeleton(source: str) -> Any:
    """Return the model without memory for its weights."""
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(source))
