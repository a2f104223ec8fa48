"""The rehearsal on this machine: memory and time before it starts.

The memory formula: of each trained weight 4 bytes for itself, 4 for its gradient and 8 for AdamW's
two moments; of each frozen weight 4 bytes, 2 where sums are in bfloat16, and 0.516 where it is
quantized (4 bits and the two-stage scales of its block); a second copy of the weights as the
reference model when all of them are trained and there is a KL term (an adapter is switched off
instead); what Python and the libraries take in main memory; and the larger of two that come one
after the other: what sampling holds, and the activations of one micro-batch at its full length, as
`bedrock_rft_sim.engine.device` estimates them from above; a prompt counts once for its group where
rollouts are packed. Sampling holds the keys and values of all answers of a step and, with the
engine native, plain copies of the linear layers that carry LoRA or another number format; a GPU
keeps those through the update.
Of several GPUs each holds its share of the answers. Data parallel (DDP) each holds all weights, and
their gradients twice; sharded (FSDP2) its share of weights, gradients and moments, and two layers
and the embeddings whole while it computes.
An estimate, neither a measurement nor a bound: no allocator's slack, no GPU's own context.
Sources: Dettmers et al. 2023, QLoRA (0.127 bits a weight for scales quantized twice); torch,
`DistributedDataParallel` (gradient_as_bucket_view) and `fully_shard`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import ceil

from bedrock_rft_sim.data.plan import Steps
from bedrock_rft_sim.engine import device as machine
from bedrock_rft_sim.engine.sampler import TOKENS_PER_BATCH
from bedrock_rft_sim.estimate.free_memory import GPU_MEMORY, FreeMemory
from bedrock_rft_sim.estimate.measured import Measured
from bedrock_rft_sim.estimate.model_size import ModelSize
from bedrock_rft_sim.estimate.quantity import Quantity, at_least
from bedrock_rft_sim.recipe import Recipe, Settings

FLOAT32 = 4
BFLOAT16 = 2
NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes of a weight: 4 bits, a byte for each block of 64, a float32 for 256 of those bytes."""
GRADIENT = 4
ADAM_MOMENTS = 8
LIBRARIES_BYTES = 500 * machine.MEGABYTE
"""Python with torch, transformers and TRL imported takes 480 MB on Linux."""
WHOLE_LAYERS = 2
"""Of a sharded model: the one that computes and the next, which is on its way."""


@dataclass(frozen=True)
class Spread:
    """Over how many GPUs one model is trained, and whether they share its weights."""

    processes: int = 1
    is_sharded: bool = False
    """Sharded by FSDP2, whose answers come from `generate` of transformers."""


ALONE = Spread()


@dataclass(frozen=True)
class Memory:
    """Bytes, by what they are for; of several GPUs, those of one."""

    place: str
    """Of what: main memory or the GPU's."""
    free: int | None
    """What is free of it now; None where that is not known."""
    weights: int
    gradients: int
    optimizer: int
    reference: int
    plain: int
    """Copies of linear layers that the engine native samples with, which a GPU keeps; or what a
    colocated vLLM takes."""
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
        learning = self.activations + (self.plain if self.place == GPU_MEMORY else 0)
        return sum(kept) + max(self.plain + self.cache, learning)


def memory(
    settings: Settings,
    size: ModelSize,
    *,
    free: FreeMemory,
    dtype: str = "float32",
    engine: str = "auto",
    validation_prompts: int = 0,
    pass_mb: int | None = None,
    spread: Spread = ALONE,
    vllm_share: float = 0.0,
) -> Memory:
    """Estimate the memory of a run with this model, with the micro-batch that fits.

    `dtype` is that of the sums, `engine` and `pass_mb` are `local.engine` and `local.passMemory`;
    `vllm_share` is what a colocated vLLM takes of a GPU.
    """
    is_full = settings.training == "full"
    # Of an adapter: rank x (inputs + outputs) of each linear layer.
    adapters = 0 if is_full else settings.lora_rank * sum(map(sum, size.linear))
    trained = size.parameters if is_full else adapters
    held, micro = partial(_activations, settings, size), 1
    if free.bytes is not None or pass_mb is not None:
        room = machine.pass_bytes(free.bytes or 0, is_gpu=free.is_gpu, stated_mb=pass_mb)
        rollouts = ceil(settings.rollouts_per_update / spread.processes)
        micro = machine.micro_batch(rollouts, bytes_of=held, room=room)
    is_native = size.is_packed and engine in ("auto", "native") and not spread.is_sharded
    item = BFLOAT16 if dtype == "bfloat16" else FLOAT32
    stays_float32 = is_full or engine == "vllm"
    frozen = FLOAT32 * size.parameters if stays_float32 else _frozen(settings, size, item)
    copied = _plain(settings, size, item) if is_native else int(vllm_share * (free.bytes or 0))
    answers = 0 if engine == "vllm" else ceil(settings.rollouts_per_step / spread.processes)
    cache = item * _cache(settings, size, answers, validation_prompts)
    if is_native and free.is_gpu and free.bytes is not None:  # it cuts a batch that takes too many
        cache = min(cache, int(machine.STORE_SHARE * free.bytes))
    copies = is_full and settings.kl_coefficient > 0
    share = spread.processes if spread.is_sharded else 1
    is_doubled = spread.processes > 1 and not spread.is_sharded
    return Memory(
        place=free.place,
        free=free.bytes,
        weights=(frozen + FLOAT32 * adapters) // share + _whole(size, item, spread),
        gradients=GRADIENT * trained * (1 + is_doubled) // share,
        optimizer=ADAM_MOMENTS * trained // share,
        reference=FLOAT32 * size.parameters // share if copies else 0,
        plain=copied,
        cache=cache,
        activations=held(micro),
        libraries=0 if free.is_gpu else LIBRARIES_BYTES,
        micro_batch=micro,
    )


def _frozen(settings: Settings, size: ModelSize, item: int) -> int:
    """Return the bytes of the weights below adapters."""
    packed = size.linear_weights if settings.quantization is not None else 0
    return int(NF4 * packed) + item * (size.parameters - packed)


def _plain(settings: Settings, size: ModelSize, item: int) -> int:
    """Return the bytes of the linear layers that are copied while the engine native samples."""
    if settings.quantization is not None:
        return 0
    if settings.training == "lora":
        return item * size.linear_weights
    # In mixed precision every linear layer, the output layer too, is cast once.
    return 0 if item == FLOAT32 else item * (size.linear_weights + size.embedding)


def _whole(size: ModelSize, item: int, spread: Spread) -> int:
    """Return the bytes of what is gathered from all GPUs while a sharded model computes."""
    if not spread.is_sharded:
        return 0
    layers = size.linear_weights * min(1, WHOLE_LAYERS / size.shape.layers)
    return int(item * (layers + size.parameters - size.linear_weights))


def _cache(settings: Settings, size: ModelSize, answers: int, validation_prompts: int) -> int:
    """Return how many keys and values are held while so many answers are sampled at once."""
    tokens = settings.max_prompt_length + settings.inference_max_tokens
    validated = min(validation_prompts, max(1, TOKENS_PER_BATCH // tokens))
    return size.cached * tokens * max(answers, validated)


def _activations(settings: Settings, size: ModelSize, rollouts: int) -> int:
    prompt, answer = settings.max_prompt_length, settings.inference_max_tokens
    tokens = rollouts * (prompt + answer)
    if size.is_packed:
        tokens = machine.packed_tokens(rollouts, settings.samples_per_prompt, prompt, answer)
    again = settings.gradient_checkpointing
    return machine.bytes_of_pass(size.shape, tokens, is_recomputed=again)


def dtype_of_sums(dtype: str, free: FreeMemory) -> str:
    """Return what `local.dtype` comes to; `auto` is taken for bfloat16 on a GPU."""
    return dtype if dtype != "auto" else "bfloat16" if free.is_gpu else "float32"


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
