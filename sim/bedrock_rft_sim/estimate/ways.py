"""Which ways of training make a model fit, on which GPUs: the same formula for each of them.

A GB is 10^9 bytes, as on the card's box: the smallest cards of "24 GB" (A10G, L4) have 23,028 MiB,
of "80 GB" (H100) 81,559 MiB. What a pass holds is counted for one rollout, the least there is.
Source: `bedrock_rft_sim.estimate.here`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.estimate.free_memory import GPU_MEMORY, FreeMemory
from bedrock_rft_sim.estimate.here import Spread, memory
from bedrock_rft_sim.estimate.model_size import ModelSize
from bedrock_rft_sim.recipe import Settings

GB: Final = 10**9
ONE_ROLLOUT_MB: Final = 1
"""No pass fits into so little, so that the smallest is taken."""


@dataclass(frozen=True)
class Gpus:
    """So many alike."""

    count: int
    gb: float

    @property
    def words(self) -> str:
        """Name them."""
        return f"{self.count} x {self.gb:g} GB"


@dataclass(frozen=True)
class Way:
    """One way to train, by what a recipe or a launcher says for it."""

    name: str
    says: str
    dtype: str = "bfloat16"
    engine: str = "auto"
    gradient_checkpointing: bool = True
    quantization: Any = None
    is_sharded: bool = False


WAYS: Final = (
    Way("float32", "local.dtype: float32", dtype="float32", gradient_checkpointing=False),
    Way("bfloat16", "local.dtype: bfloat16, auto's choice", gradient_checkpointing=False),
    Way("checkpointing", "bfloat16 and local.training.gradientCheckpointing: true"),
    Way("no copy", "checkpointing and local.engine: transformers", engine="transformers"),
    Way("QLoRA", "checkpointing and local.training.quantization: nf4", quantization="nf4"),
    Way("FSDP2", "checkpointing, under accelerate with FSDP2", is_sharded=True),
)
"""From the least that is given up to the most. Several GPUs hold a copy of the model each (DDP),
except under FSDP2, for which bitsandbytes' weights are not made."""


@dataclass(frozen=True)
class Fit:
    """What one way takes on one set of GPUs."""

    way: Way
    gpus: Gpus
    bytes: int
    """Of each GPU."""

    @property
    def fits(self) -> bool:
        """Whether a GPU has as much."""
        return self.bytes <= self.gpus.gb * GB


def ways(settings: Settings, size: ModelSize, machines: Sequence[Gpus]) -> tuple[Fit, ...]:
    """Work out every way that a recipe's method has, on each set of GPUs."""
    return tuple(_ways(settings, size, machines))


def _ways(settings: Settings, size: ModelSize, machines: Sequence[Gpus]) -> Iterator[Fit]:
    for way in WAYS:
        if way.quantization and settings.training == "full":
            continue
        changed = replace(
            settings,
            gradient_checkpointing=way.gradient_checkpointing,
            quantization=way.quantization,
        )
        for gpus in machines:
            if way.is_sharded and gpus.count == 1:
                continue
            found = memory(
                changed,
                size,
                free=FreeMemory(int(gpus.gb * GB), GPU_MEMORY),
                dtype=way.dtype,
                engine=way.engine,
                pass_mb=ONE_ROLLOUT_MB,
                spread=Spread(gpus.count, way.is_sharded),
            )
            yield Fit(way, gpus, found.total)


def read_gpus(text: str) -> Gpus:
    """Read `COUNTxGB`, for example 8x80.

    Raises:
        RecipeError: it is written otherwise.
    """
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,3})", text.strip())
    if found is None:
        raise RecipeError(
            "no GPUs", where="--gpus", expected="COUNTxGB, for example 8x80", found=text
        )
    return Gpus(int(found[1]), float(found[2]))
