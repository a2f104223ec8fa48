"""What a training process does with the memory of tensors that are gone: it keeps it.

glibc maps a large tensor anew each time and hands it back when it is freed, so that every step
touches fresh pages, which the kernel must clear one by one. Kept on the heap, they are used again.
"""

from __future__ import annotations

import ctypes
import platform
from typing import Final

# malloc.h of glibc
M_TRIM_THRESHOLD: Final = -1
M_TOP_PAD: Final = -2
M_MMAP_MAX: Final = -4
GROWTH: Final = 256 * 2**20
"""Bytes by which the heap grows at once."""


def keep_freed_memory() -> bool:
    """Let this process keep what tensors on the CPU free; False where the C library can't."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_TOP_PAD, GROWTH))
    return 0 not in [mallopt(setting, value) for setting, value in settings]
