"""Which device and number format this machine offers, and how much of a batch fits into it."""

from __future__ import annotations

import itertools
import math
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from bedrock_rft_sim.errors import RecipeError

MEGABYTE = 2**20
BYTES_FLOAT32 = 4
LOGIT_COPIES = 4  # logits, their float32 copy, log-softmax and its gradient
ACTIVATIONS_PER_LAYER = 40  # hidden-size vectors kept per token and layer for the backward pass
STORE_SHARE = 0.25
"""Of the device's memory for keys and values that the engine native stores; of all of it, so that a
run can be repeated."""
MEMORY_SHARE = 0.5  # of what is free; the rest is for generation, optimizer and other programs
CPU_PASS_BYTES = 4 * 2**30  # of one pass; larger tensors get fresh pages each, which costs more
COPIED = 1 / 20  # of a token's activations: its keys and values, which each answer gets a copy of


@dataclass(frozen=True)
class Device:
    """Where the model runs."""

    type: str
    """`cpu`, `cuda` or `mps`."""
    name: str
    dtype: str
    """`float32`, or `bfloat16` for mixed precision."""
    free_bytes: int


def choose_device(device: str, dtype: str) -> Device:
    """Resolve `local.device` and `local.dtype`; `auto` takes the best this machine has.

    Raises:
        RecipeError: the device is not here, or does not know the number format.
    """
    import torch

    found = _best() if device == "auto" else device
    on_cuda = is_cuda(found)
    if on_cuda and not torch.cuda.is_available():
        raise _absent(found, "no CUDA device is visible to torch")
    if found == "mps" and not torch.backends.mps.is_available():
        raise _absent("mps", "torch finds no Apple GPU")
    if dtype == "float16" and not on_cuda:
        raise RecipeError(
            "float16 needs a CUDA device",
            where="local.dtype",
            expected="auto, float32 or bfloat16 on this device",
            found=f"float16 on {found}, which the trainer would pass over",
            hint="set local.dtype to auto",
        )
    bf16 = on_cuda and torch.cuda.is_bf16_supported()
    resolved = ("bfloat16" if bf16 else "float32") if dtype == "auto" else dtype
    name, free = _name_and_free_bytes(found)
    return Device(found, name, resolved, free)


def is_cuda(device: str) -> bool:
    """Whether it is an NVIDIA GPU, whichever: cuda, cuda:1."""
    return device.partition(":")[0] == "cuda"


def _absent(device: str, found: str) -> RecipeError:
    return RecipeError(
        "the device is not available",
        where="local.device",
        expected=device,
        found=found,
        hint="set local.device to auto or cpu",
    )


def _best() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _name_and_free_bytes(device: str) -> tuple[str, int]:
    if is_cuda(device):
        import torch

        return torch.cuda.get_device_name(device), int(torch.cuda.mem_get_info(device)[0])
    import psutil

    name = platform.processor() or platform.machine()
    return name, int(psutil.virtual_memory().available) // _processes_here()


def _processes_here() -> int:
    """Return how many processes of a launcher share this machine's memory."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def total_memory_bytes(device: str) -> int:
    """Return the memory of the GPU, or this process's share of the machine's."""
    if is_cuda(device):
        import torch

        return int(torch.cuda.get_device_properties(device).total_memory)
    import psutil

    return int(psutil.virtual_memory().total) // _processes_here()


def visible_gpus() -> list[str]:
    """Return the NVIDIA GPUs to be seen, as CUDA_VISIBLE_DEVICES names them, without torch.

    Sources: CUDA's guide (the list ends where an entry names no device), `nvidia-smi --help`.
    """
    stated = os.environ.get("CUDA_VISIBLE_DEVICES")
    if stated is None:
        ask = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
        try:
            done = subprocess.run(ask, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return []
        return done.stdout.split() if done.returncode == 0 else []
    names = [name.strip() for name in stated.split(",")]
    return list(itertools.takewhile(re.compile(r"\d+|(GPU|MIG)-.+").fullmatch, names))


def peak_memory_bytes(device: str) -> int | None:
    """Return the most memory the process has held so far, on the GPU if it runs on one."""
    if is_cuda(device):
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # Windows has no getrusage
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@dataclass(frozen=True)
class ModelShape:
    """The sizes of a model that decide how much memory one sequence needs."""

    layers: int
    hidden: int
    vocabulary: int


def bytes_of_pass(shape: ModelShape, tokens: int, *, is_recomputed: bool = False) -> int:
    """Estimate the memory of a forward and backward pass over tokens, in bytes, from above.

    Recomputed, each layer keeps its input, and one at a time all of its activations.
    """
    logits = shape.vocabulary * LOGIT_COPIES
    kept = shape.layers * ACTIVATIONS_PER_LAYER
    if is_recomputed:
        kept = shape.layers + ACTIVATIONS_PER_LAYER
    return tokens * (logits + shape.hidden * kept) * BYTES_FLOAT32


def packed_tokens(rollouts: int, group: int, prompt: int, answer: int) -> int:
    """Return the most tokens whose activations a pass over so many rollouts in a row holds.

    `group` of them share a prompt; `prompt` and `answer` are the most tokens of each.
    """
    is_aligned = rollouts % group == 0 or group % rollouts == 0
    prompts = -(-rollouts // group) + (not is_aligned)
    return rollouts * (answer + math.ceil(prompt * COPIED)) + prompts * prompt


def pass_bytes(free_bytes: int, *, is_gpu: bool, stated_mb: int | None = None) -> int:
    """Return how much memory one pass may hold: as stated, else a share of what is free.

    On a CPU that is no more than is quick.
    """
    if stated_mb is not None:
        return stated_mb * MEGABYTE
    share = int(free_bytes * MEMORY_SHARE)
    return share if is_gpu else min(share, CPU_PASS_BYTES)


def micro_batch(rollouts: int, *, bytes_of: Callable[[int], int], room: int) -> int:
    """Return the largest divisor of `rollouts` whose pass fits into so many bytes, at least 1.

    `bytes_of` so many rollouts is what their pass holds. The loss is normalised over the whole
    batch, so this choice changes speed, not results.
    """
    divisors = [size for size in range(rollouts, 0, -1) if rollouts % size == 0]
    return next((size for size in divisors if bytes_of(size) <= room), 1)
