"""The rehearsal on this machine: memory and time before it starts.

The memory formula, for weights in float32: 4 bytes for each weight; of each trained weight 4 for
its gradient and 8 for AdamW's two moments; a second copy of the weights as the reference model when
all of them are trained and there is a KL term (an adapter is switched off instead); the activations
of one micro-batch at its full length, as `sim.engine.device` estimates them from above; and what
Python and the libraries take. The cache of keys and values while sampling is smaller than the
activations and is not held at the same time. An estimate, not a measurement.
"""

from __future__ import annotations

from dataclasses import dataclass

from sim.engine import device as machine
from sim.estimate.measured import Measured
from sim.estimate.model_size import ModelSize
from sim.estimate.quantity import Quantity, measured
from sim.plan import Steps
from sim.recipe import Recipe, Settings

FLOAT32 = 4
GRADIENT = 4
ADAM_MOMENTS = 8
LIBRARIES_BYTES = 500 * 2**20
"""Python with torch, transformers and TRL imported takes 480 MB on Linux."""


@dataclass(frozen=True)
class Memory:
    """Bytes, by what they are for."""

    weights: int
    gradients: int
    optimizer: int
    reference: int
    activations: int
    libraries: int
    micro_batch: int
    """Rollouts in one forward and backward pass."""

    @property
    def total(self) -> int:
        """All of them, from above."""
        parts = (self.weights, self.gradients, self.optimizer, self.reference)
        return sum(parts) + self.activations + self.libraries


def memory(settings: Settings, size: ModelSize, *, free_bytes: int) -> Memory:
    """Estimate the memory of a run with this model, with the micro-batch that fits."""
    trained = size.parameters if settings.training == "full" else _adapters(settings, size)
    own = 0 if settings.training == "full" else trained
    tokens = settings.max_prompt_length + settings.inference_max_tokens
    each = machine.bytes_per_sequence(size.shape, tokens)
    micro = machine.micro_batch(settings.rollouts_per_step, bytes_each=each, free_bytes=free_bytes)
    copies = settings.training == "full" and settings.kl_coefficient > 0
    return Memory(
        weights=FLOAT32 * (size.parameters + own),
        gradients=GRADIENT * trained,
        optimizer=ADAM_MOMENTS * trained,
        reference=FLOAT32 * size.parameters if copies else 0,
        activations=micro * each,
        libraries=LIBRARIES_BYTES,
        micro_batch=micro,
    )


def _adapters(settings: Settings, size: ModelSize) -> int:
    """Return the weights of the adapters: rank x (inputs + outputs) of each linear layer."""
    return settings.lora_rank * sum(inputs + outputs for inputs, outputs in size.linear)


def seconds(recipe: Recipe, steps: Steps, seen: Measured | None) -> Quantity | None:
    """Return the seconds of all steps and validations; None where no step was ever measured.

    A step is taken to last in proportion to its rollouts.
    """
    if seen is None or seen.step_seconds is None or not seen.rollouts_per_step:
        return None
    scale = recipe.settings.rollouts_per_step / seen.rollouts_per_step
    training = measured(seen.step_seconds).times(scale * steps.total)
    if seen.validation_seconds is None or not steps.validations:
        return training
    return training.plus(measured(seen.validation_seconds).times(len(steps.validations)))
