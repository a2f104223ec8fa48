"""How much memory is free where the rehearsal will run, found out without importing torch.

Deliberately knows NVIDIA's GPUs only, and only by `nvidia-smi`: any other is not seen from here.
Sources: nvidia-smi manual (--query-gpu, --id); CUDA programming guide (CUDA_VISIBLE_DEVICES).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata

SECONDS_MAX = 5
MEGABYTE = 2**20
MAIN_MEMORY = "main memory"
GPU_MEMORY = "GPU memory"


@dataclass(frozen=True)
class FreeMemory:
    """Free bytes, and of what."""

    bytes: int | None
    """None where nobody here can say."""
    place: str

    @property
    def is_gpu(self) -> bool:
        """Whether it is the GPU's own."""
        return self.place == GPU_MEMORY


def free_memory(device: str) -> FreeMemory:
    """Return the free memory of `local.device`; `auto` is a GPU where nvidia-smi shows one."""
    kind, _, index = device.partition(":")
    if kind == "cuda" or (kind == "auto" and _torch_may_use_cuda()):
        free = _gpu_bytes(int(index or 0))
        if kind == "cuda" or free is not None:
            return FreeMemory(free, GPU_MEMORY)
    import psutil

    return FreeMemory(int(psutil.virtual_memory().available), MAIN_MEMORY)


def _torch_may_use_cuda() -> bool:
    """Whether the installed torch is not the build for processors alone, by its version."""
    try:
        return not metadata.version("torch").endswith("+cpu")
    except metadata.PackageNotFoundError:
        return False


def _gpu_bytes(index: int) -> int | None:
    """Return the free memory of the GPU that torch gives this number; None where nobody says."""
    tool = shutil.which("nvidia-smi")
    gpu = _visible(index)
    if tool is None or gpu is None:
        return None
    query = [tool, f"--id={gpu}", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(
            query, capture_output=True, text=True, timeout=SECONDS_MAX, check=True
        )
        return int(done.stdout.strip()) * MEGABYTE
    except (OSError, subprocess.SubprocessError, ValueError):
        return None  # a driver that does not answer; the estimate then says that it is not known


def _visible(index: int) -> str | None:
    """Return the number or UUID behind torch's number; None where that GPU is hidden."""
    stated = os.environ.get("CUDA_VISIBLE_DEVICES")
    if stated is None:
        return str(index)
    visible = [each.strip() for each in stated.split(",")]
    return visible[index] if index < len(visible) and visible[index] not in ("", "-1") else None
