"""What the rules look at: the metric lines of a run, and what only its answers and recipe know.

It reads no file; `bedrock_rft_sim.report` gathers it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Final, TypeGuard

Points = list[tuple[int, float]]
"""(step, value), in order of steps."""

END_SHARE: Final = 5
"""Assumed: the beginning and the end of a run are its first and last fifth."""
STEPS_MIN: Final = 10
"""Assumed: with fewer training steps no rule speaks of a course over time."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One run, as far as rules need it; what is not known is absent."""

    lines: Sequence[Mapping[str, Any]]
    """metrics.jsonl under the inner names, in order of steps."""
    looping: Mapping[int, float] = field(default_factory=dict)
    """By step, the share of answers whose end repeats itself; from the rollouts."""
    reward_components: frozenset[str] | None = None
    """Names of the components of type Reward; None where the rollouts were not read."""
    timeout_s: float | None = None
    """Of the reward function."""
    inference_max_tokens: int | None = None

    def points(self, name: str) -> Points:
        """Return the finite numbers of a metric by step; step 0 only where it was measured."""
        found: Points = []
        for line in self.lines:
            step, value = line.get("step"), line.get(name)
            if isinstance(step, int) and is_number(value):
                found.append((step, float(value)))
        return found

    def trained(self) -> list[Mapping[str, Any]]:
        """Return the lines of training steps."""
        return [line for line in self.lines if is_number(line.get("critic_rewards_mean"))]

    def reward_range(self) -> tuple[float, float] | None:
        """Return the lowest (at most 0) and the highest grade seen; None if they are the same."""
        low = [value for _, value in self.points("critic_rewards_min")]
        high = [value for _, value in self.points("critic_rewards_max")]
        if not low or not high:
            return None
        bottom, top = min(0.0, *low), max(high)
        return (bottom, top) if top > bottom else None


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a finite number and not a bool."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def values_of(points: Points) -> list[float]:
    """Return the values without their steps."""
    return [value for _, value in points]


def ends(values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return the first and the last fifth of the values, at least one each."""
    size = max(1, len(values) // END_SHARE)
    return list(values[:size]), list(values[-size:])


def noise(values: Sequence[float]) -> float:
    """Return the step-to-step standard deviation, free of any slow trend (von Neumann)."""
    jumps = [(b - a) ** 2 for a, b in itertools.pairwise(values)]
    return math.sqrt(fmean(jumps) / 2) if jumps else 0.0
