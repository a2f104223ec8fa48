"""Tell finite numbers from all else: take NaN and infinities out of a step's values, named.

It does not decide what a non-finite value means; the trainer does.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any, TypeGuard


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a finite number that a float can hold, and not a bool."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) <= sys.float_info.max


def drop_non_finite(values: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the values without the non-finite ones, and the dotted names of those."""
    clean: dict[str, Any] = {}
    dropped: list[str] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            clean[name], inside = drop_non_finite(value)
            dropped += [f"{name}.{inner}" for inner in inside]
        elif isinstance(value, float) and not math.isfinite(value):
            dropped.append(name)
        else:
            clean[name] = value
    return clean, tuple(dropped)
