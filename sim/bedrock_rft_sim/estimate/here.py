"""The rehearsal on this machine: memory and time before it starts.

The memory formula, for weights in float32: 4 bytes for each weight; of each trained weight 4 for
its gradient and 8 for AdamW's two moments; a second copy of the weights as the reference model when
all of them are trained and there is a KL term (an adapter is switched off instead); what Python and
the libraries take in main memory; and the larger of two that come one after the other: the cache of
keys and values while all answers of a step are sampled at once, and the activations of one
micro-batch at its full length, as `bedrock_rft_sim.engine.device` estimates them from above; a
prompt counts once for its group where rollouts are packed.
An estimate, neither a measurement nor a bound: no allocator's slack, no GPU's own context.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from bedrock_rft_sim.data.plan import Steps
from bedrock_rft_sim.engine import device as machine
from bedrock_rft_sim.engine.sampler import TOKENS_PER_BATCH
from bedrock_rft_sim.estimate.free_memory import FreeMemory
from bedrock_rft_sim.estimate.measured import Measured
from bedrock_rft_sim.estimate.model_size import ModelSize
from bedrock_rft_sim.estimate.quantity import Quantity, at_least
from bedrock_rft_sim.recipe import Recipe, Settings

FLOAT32 = 4
GRADIENT = 4
ADAM_MOMENTS = 8
LIBRARIES_BYTES = 500 * machine.MEGABYTE
"""Python with torch, transformers and TRL imported takes 480 MB on Linux."""


@dataclass(frozen=True)
class Memory:
    """Bytes, by what they are for."""

    place: str
    """Of what: main memory or the GPU's."""
    free: int | None
    """What is free of it now; None where that is not known."""
    weights: int
    gradients: int
    optimizer: int
    reference: int
    cache: int
    """Of keys and values while sampling; not held at the same time as the activations."""
    activations: int
    libraries: int
    micro_batch: int
    """Rollouts in one forward and backward pass; 1 where the free memory is not known, since the
    run then takes as many as it finds room for."""

    @property
    def total(self) -> int:
        """The most that is held at one time."""
        kept = (self.weights, self.gradients, self.optimizer, self.reference, self.libraries)
        return sum(kept) + max(self.cache, self.activations)


def memory(
    settings: Settings,
    size: ModelSize,
    *,
    free: FreeMemory,
    validation_prompts: int = 0,
    pass_mb: int | None = None,
) -> Memory:
    """Estimate the memory of a run with this model, with the micro-batch that fits.

    `pass_mb` is `local.passMemory`.
    """
    is_full = settings.training == "full"
    # Of an adapter: rank x (inputs + outputs) of each linear layer.
    adapters = 0 if is_full else settings.lora_rank * sum(map(sum, size.linear))
    trained = size.parameters if is_full else adapters
    tokens = settings.max_prompt_length + settings.inference_max_tokens
    rollouts, micro = settings.rollouts_per_step, 1
    held = partial(_activations, settings, size)
    if free.bytes is not None or pass_mb is not None:
        room = machine.pass_bytes(free.bytes or 0, is_gpu=free.is_gpu, stated_mb=pass_mb)
        micro = machine.micro_batch(settings.rollouts_per_update, bytes_of=held, room=room)
    validated = min(validation_prompts, max(1, TOKENS_PER_BATCH // tokens))
    copies = is_full and settings.kl_coefficient > 0
    return Memory(
        place=free.place,
        free=free.bytes,
        weights=FLOAT32 * (size.parameters + adapters),
        gradients=GRADIENT * trained,
        optimizer=ADAM_MOMENTS * trained,
        reference=FLOAT32 * size.parameters if copies else 0,
        cache=FLOAT32 * size.cached * tokens * max(rollouts, validated),
        activations=held(micro),
        libraries=0 if free.is_gpu else LIBRARIES_BYTES,
        micro_batch=micro,
    )


def _activations(settings: Settings, size: ModelSize, rollouts: int) -> int:
    prompt, answer = settings.max_prompt_length, settings.inference_max_tokens
    tokens = rollouts * (prompt + answer)
    if size.is_packed:
        tokens = machine.packed_tokens(rollouts, settings.samples_per_prompt, prompt, answer)
    return machine.bytes_of_pass(size.shape, tokens)


def seconds(
    recipe: Recipe, steps: Steps, seen: Measured | None, *, validation_prompts: int
) -> Quantity | None:
    """Return the seconds of all steps and validations; None where nothing of them was measured.

    A step is taken to last in proportion to its rollouts, a validation to its prompts. Where only
    sampling was measured, it is a lower bound.
    """
    if seen is None or not seen.is_of_model(recipe):
        return None
    if seen.step_seconds is None or not seen.rollouts_per_step:
        return _sampling(recipe, steps, seen, validation_prompts=validation_prompts)
    scale = recipe.settings.rollouts_per_step / seen.rollouts_per_step
    training = seen.step_seconds.times(scale * steps.total)
    if not steps.validations:
        return training
    if seen.validation_seconds is None:  # a run too short for one: they come on top
        bound = training.value if training.low is None else training.low
        return None if bound is None else at_least(bound)
    share = validation_prompts / (seen.validation_prompts or validation_prompts)
    return training.plus(seen.validation_seconds.times(share * len(steps.validations)))


def _sampling(
    recipe: Recipe, steps: Steps, seen: Measured, *, validation_prompts: int
) -> Quantity | None:
    """Return what sampling alone takes, every answer as long as it took in the probe."""
    if seen.sampling_seconds is None:
        return None
    answers = steps.total * recipe.settings.rollouts_per_step
    answers += len(steps.validations) * validation_prompts
    # Where the rehearsal allows fewer tokens than the probe did, its answers end sooner.
    shorter = min(1.0, recipe.settings.inference_max_tokens / seen.limit)
    return at_least(seen.sampling_seconds * shorter * answers)
