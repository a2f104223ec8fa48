"""Put the trainer together: model, data, reward, settings, validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from datasets import Dataset
from transformers.utils.logging import disable_progress_bar

from bedrock_rft_sim.data import Row
from bedrock_rft_sim.data.tokens import plain_messages
from bedrock_rft_sim.engine import device as machine
from bedrock_rft_sim.engine.load import (
    base_source,
    load_tokenizer,
    model_shape,
    model_source,
    tokenizer_source,
    trainable,
)
from bedrock_rft_sim.engine.lora import adapted, lora_config, skeleton
from bedrock_rft_sim.engine.sampler import SamplingParams
from bedrock_rft_sim.errors import TrainingError
from bedrock_rft_sim.grader import Grader
from bedrock_rft_sim.grader.second_opinions import NO_SECOND_OPINIONS, SecondOpinions
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.train.interrupt import Interrupt
from bedrock_rft_sim.train.packed import why_not_packed
from bedrock_rft_sim.train.record import Rehearsal, StepRecorder
from bedrock_rft_sim.train.reward import LambdaReward
from bedrock_rft_sim.train.settings import SERVER_TIMEOUT_S, grpo_config
from bedrock_rft_sim.train.trainer import RehearsalTrainer
from bedrock_rft_sim.train.validation import Validation

VLLM_SERVE: Final = (
    "start it: VLLM_SERVER_DEV_MODE=1 vllm serve {model} --logprobs-mode processed_logprobs "
    """--weight-transfer-config '{{"backend": "nccl"}}'"""
)


def build_trainer(
    rehearsal: Rehearsal,
    grader: Grader | None,
    interrupt: Interrupt,
    second: SecondOpinions = NO_SECOND_OPINIONS,
) -> RehearsalTrainer:
    """Return TRL's trainer, ready to train and wired to the grader and the recorder.

    The main process has the grader.

    Raises:
        TrainingError: the model or its tokenizer can't be loaded.
    """
    disable_progress_bar()  # of loading weights: our own progress is the one to watch
    recipe, data, settings = rehearsal.recipe, rehearsal.data, rehearsal.recipe.settings
    world = rehearsal.world
    validation = Validation(recipe, data, grader, second, world) if data.validation else None
    recorder = StepRecorder(rehearsal, validation, interrupt)
    args = grpo_config(rehearsal, micro_batch=_micro_batch(rehearsal))
    dtype = (args.model_init_kwargs or {})["dtype"]
    trainer = _constructed(
        recipe,
        recorder=recorder,
        sampling=SamplingParams.of_rollouts(settings),
        engine=recipe.local.engine,
        dtype=rehearsal.device.dtype,
        model=trainable(recipe.model, settings, dtype=dtype, device=rehearsal.device.type),
        processing_class=load_tokenizer(tokenizer_source(recipe.model)),
        reward_funcs=LambdaReward(grader, data.train, recorder, second),
        train_dataset=prompts(data.train),
        peft_config=lora_config(settings),
        args=args,
    )
    if settings.training == "lora":
        _tell_adapted(rehearsal, trainer.model)
    elif trainer.ref_model is not None and base_source(recipe.model) != model_source(recipe.model):
        # TRL loads its reference by the model's name: of merged adapters, that of their base.
        trainer.ref_model.load_state_dict(trainer.model.state_dict())
    return trainer


def _constructed(recipe: Recipe, **options: Any) -> RehearsalTrainer:
    try:
        return RehearsalTrainer(**options)
    except ConnectionError as error:
        raise TrainingError(
            "the vLLM server can't be reached",
            where=f"local.vllm.serverUrl: {recipe.local.vllm.serverUrl}",
            expected=f"an answer within {SERVER_TIMEOUT_S:.0f} seconds",
            found=str(error),
            hint=VLLM_SERVE.format(model=recipe.model),
        ) from error


def _tell_adapted(rehearsal: Rehearsal, model: Any) -> None:
    found = adapted(model)
    rehearsal.note(lora={**asdict(found), "odds": found.odds})
    rehearsal.say(found.words)


def prompts(rows: Sequence[Row]) -> Dataset:
    """Return TRL's view of the rows: the chat messages, and the way back to the row."""
    return Dataset.from_list(
        [{"prompt": plain_messages(row.messages), "row_index": i} for i, row in enumerate(rows)]
    )


def _micro_batch(rehearsal: Rehearsal) -> int:
    """A resumed run keeps its cut, since another one would round differently."""
    world, recipe = rehearsal.world, rehearsal.recipe
    kept: int | None = world.from_main(lambda: rehearsal.folder.read_record().get("micro_batch"))
    if kept is not None and recipe.settings.rollouts_per_update % (kept * world.size) == 0:
        return kept
    size = min(world.gather([fitting_micro_batch(recipe, rehearsal.device, world.size)]))
    rehearsal.note(micro_batch=size)
    return size


def fitting_micro_batch(recipe: Recipe, device: machine.Device, processes: int = 1) -> int:
    """Return how many rollouts one forward and backward pass takes on this device."""
    settings, source = recipe.settings, base_source(recipe.model)
    shape = model_shape(source)
    prompt, answer = settings.max_prompt_length, settings.inference_max_tokens
    is_packed = why_not_packed(skeleton(source)) is None

    def bytes_of(rollouts: int) -> int:
        tokens = rollouts * (prompt + answer)
        if is_packed:
            tokens = machine.packed_tokens(rollouts, settings.samples_per_prompt, prompt, answer)
        return machine.bytes_of_pass(shape, tokens, is_recomputed=settings.gradient_checkpointing)

    is_gpu, stated = machine.is_cuda(device.type), recipe.local.passMemory
    room = machine.pass_bytes(device.free_bytes, is_gpu=is_gpu, stated_mb=stated)
    share = settings.rollouts_per_update // processes
    return machine.micro_batch(share, bytes_of=bytes_of, room=room)
