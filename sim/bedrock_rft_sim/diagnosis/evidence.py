"""What the checks of a run look at: its metric lines, and what only its answers and recipe know.

It reads no answers: that of a run whose answers matter is completed by `bedrock_rft_sim.report`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, linear_regression, median
from typing import Any, Final, NamedTuple

from bedrock_rft_sim.runs import Run
from bedrock_rft_sim.runs.metrics import is_number

Points = list[tuple[int, float]]
"""(step, value), in order of steps."""

END_SHARE: Final = 5
"""Assumed: the beginning and the end of a run are its first and last fifth."""
SPIKES_FROM: Final = 5


@dataclass(frozen=True, slots=True)
class Evidence:
    """One run, as far as the checks need it; what is not known is absent."""

    lines: Sequence[Mapping[str, Any]]
    """metrics.jsonl under the inner names, in order of steps."""
    looping: Mapping[int, float] = field(default_factory=dict)
    """By step, the share of answers whose end repeats itself; from the rollouts."""
    reward_components: frozenset[str] | None = None
    """Names of the components of type Reward; None where the rollouts were not read."""
    timeout_s: float | None = None
    """Of the reward function."""
    inference_max_tokens: int | None = None
    prompts_per_step: int | None = None
    """The batch size, in prompts."""
    validation_prompts: int | None = None
    floor: Mapping[str, Any] | None = None
    """What the run recorded of its reward's floor: `score` and `strategy`, or why it is not known,
    `left_out`."""
    grader: Mapping[str, Any] | None = None
    """Of a job on Bedrock, whose log ties no invocation to a step: how its grader fared."""

    @classmethod
    def of(
        cls,
        run: Run,
        *,
        looping: Mapping[int, float] | None = None,
        reward_components: frozenset[str] | None = None,
    ) -> Evidence:
        """Return what a run shows; what its answers show is known only to who has read them."""
        data = run.record.get("data")
        return cls(
            run.lines,
            looping or {},
            reward_components,
            timeout_s=run.local("lambda.timeout"),
            inference_max_tokens=run.setting("inference_max_tokens"),
            prompts_per_step=run.setting("batch_size"),
            validation_prompts=data.get("validation_prompts") if isinstance(data, dict) else None,
            floor=run.record.get("floor"),
            grader=run.record.get("grader"),
        )

    def points(self, name: str) -> Points:
        """Return the finite numbers of a metric by step; step 0 only where it was measured."""
        found: Points = []
        for line in self.lines:
            step, value = line.get("step"), line.get(name)
            if isinstance(step, int) and is_number(value):
                found.append((step, float(value)))
        return found

    def values(self, name: str) -> list[float]:
        """Return the finite numbers of a metric in order of steps."""
        return values_of(self.points(name))

    def table(self, name: str) -> dict[str, list[float]]:
        """Return the finite numbers of each entry of a metric that is a table, by step."""
        found: dict[str, list[float]] = {}
        for table in (line.get(name) for line in self.lines):
            for entry, value in table.items() if isinstance(table, dict) else ():
                if is_number(value):
                    found.setdefault(entry, []).append(float(value))
        return found

    def mean(self, name: str) -> float | None:
        """Return the mean of a metric over the steps; None where it was never recorded."""
        values = self.values(name)
        return fmean(values) if values else None

    def reward_range(self) -> tuple[float, float] | None:
        """Return the lowest (at most 0) and the highest grade seen; None if they are the same."""
        low, high = self.values("critic_rewards_min"), self.values("critic_rewards_max")
        if not low or not high:
            return None
        bottom, top = min(0.0, *low), max(high)
        return (bottom, top) if top > bottom else None


def values_of(points: Points) -> list[float]:
    """Return the values without their steps."""
    return [value for _, value in points]


class Ends(NamedTuple):
    """The means of the first and of the last fifth of a course."""

    first_fifth: float
    last_fifth: float


def end_means(values: Sequence[float]) -> Ends:
    """Return the means of the first and of the last fifth of the values, at least one each."""
    size = max(1, len(values) // END_SHARE)
    return Ends(fmean(values[:size]), fmean(values[-size:]))


def end_to_start(values: Sequence[float]) -> float:
    """Return how many times its start a positive course ends at, by a line through its logarithms.

    The means of the first and last fifth see two thirds of a change that began at the first step.
    """
    logs = [math.log(value) for value in values]
    slope, _ = linear_regression(range(len(logs)), logs)
    return math.exp(slope * (len(logs) - 1))


def spikes(values: Sequence[float], *, factor: float, window: int) -> list[tuple[int, float]]:
    """Return the places far above the median of up to `window` values before, and how far.

    The first five values have too few before them to tell.
    """
    found = []
    for place in range(SPIKES_FROM, len(values)):
        usual = median(values[max(0, place - window) : place])
        if usual > 0 and values[place] > factor * usual:
            found.append((place, values[place] / usual))
    return found


def noise(values: Sequence[float]) -> float:
    """Return the step-to-step standard deviation, free of any slow trend (von Neumann)."""
    jumps = [(b - a) ** 2 for a, b in itertools.pairwise(values)]
    return math.sqrt(fmean(jumps) / 2) if jumps else 0.0
