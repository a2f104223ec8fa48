"""Put the trainer together: model, data, reward, settings, validation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from datasets import Dataset
from transformers.utils.logging import disable_progress_bar

from bedrock_rft_sim.data import Row, plan
from bedrock_rft_sim.data.tokens import load_tokenizer as load_chat_tokenizer
from bedrock_rft_sim.data.tokens import plain_messages
from bedrock_rft_sim.engine import device as machine
from bedrock_rft_sim.engine.greedy import end_tokens
from bedrock_rft_sim.engine.load import load_tokenizer, model_init_kwargs, model_shape, model_source
from bedrock_rft_sim.grader import Grader
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.train.record import StepRecorder
from bedrock_rft_sim.train.reward import LambdaReward
from bedrock_rft_sim.train.settings import grpo_config, lora_config
from bedrock_rft_sim.train.trainer import RehearsalTrainer
from bedrock_rft_sim.train.validate import make_validator


def build_trainer(
    recipe: Recipe,
    *,
    rows: Sequence[Row],
    validation: Sequence[Row],
    total_steps: int,
    micro_batch: int,
    device: machine.Device,
    checkpoints: Path,
    grader: Grader,
    recorder: StepRecorder,
) -> RehearsalTrainer:
    """Return TRL's trainer, ready to train and wired to the grader and the recorder.

    Raises:
        TrainingError: the model or its tokenizer can't be loaded.
    """
    disable_progress_bar()  # of loading weights: our own progress is the one to watch
    source = model_source(recipe.model)
    tokenizer = load_tokenizer(source, load_chat_tokenizer(recipe.model))
    options = plan.template_options(recipe)
    trainer = RehearsalTrainer(
        recorder=recorder,
        model=source,
        processing_class=tokenizer,
        reward_funcs=LambdaReward(grader, rows, recorder),
        train_dataset=prompts(rows),
        peft_config=lora_config(recipe.settings),
        args=grpo_config(
            recipe.settings,
            total_steps=total_steps,
            micro_batch=micro_batch,
            device=device,
            output_dir=checkpoints,
            model_init_kwargs=model_init_kwargs(),
            chat_template_kwargs=options,
            report_to=recipe.local.reportTo,
        ),
    )
    recorder.end_tokens = end_tokens(trainer.model, tokenizer)
    if validation:
        recorder.validate = make_validator(
            trainer,
            grader,
            validation,
            max_new_tokens=recipe.settings.inference_max_tokens,
            template_options=options,
        )
    return trainer


def prompts(rows: Sequence[Row]) -> Dataset:
    """Return TRL's view of the rows: the chat messages, and the way back to the row."""
    return Dataset.from_list(
        [{"prompt": plain_messages(row.messages), "row_index": i} for i, row in enumerate(rows)]
    )


def fitting_micro_batch(recipe: Recipe, device: machine.Device) -> int:
    """Return how many rollouts one forward and backward pass takes on this device."""
    settings = recipe.settings
    tokens = settings.max_prompt_length + settings.inference_max_tokens
    each = machine.bytes_per_sequence(model_shape(model_source(recipe.model)), tokens)
    return machine.micro_batch(
        settings.rollouts_per_step, bytes_each=each, free_bytes=device.free_bytes
    )
