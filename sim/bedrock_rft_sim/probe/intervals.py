"""How sure a probe's numbers are: intervals that cover 95 %, over prompts.

The prompt is what is drawn at random, and the samples of one prompt resemble each other, so a
number is averaged over prompts. A mean of shares gets Wilson's interval for as many independent
trials as its prompts are worth. How much they are worth is measured, and shrunk towards one trial
a prompt where few prompts tell: near 0 and 1 a few prompts that are always solved, or never, may
well have been missed. Any other mean gets Student's interval.

Source: Kish, "Survey Sampling", 1965 (design effect, effective sample size).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from bedrock_rft_sim.stats.shares import unseen, wilson
from bedrock_rft_sim.stats.student import reach_of_mean

SHRINKAGE = 2.0
"""Prompts' worth of belief in the worst case: each prompt always or never solved."""

WILSON = "Wilson, over prompts"
STUDENT = "Student's t over prompts"
NO_INTERVAL = "no interval: one prompt only"


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval and how that was found; None: that end is not known."""

    value: float
    low: float | None
    high: float | None
    method: str


@dataclass(frozen=True)
class Share(Estimate):
    """A number between bounds, of which an interval is always known."""

    low: float
    high: float


def share_over_prompts(values_P: Sequence[float]) -> Share:
    """Return the mean of one share, from 0 to 1, per prompt."""
    value = fmean(values_P)
    if all(each == values_P[0] for each in values_P) and value in (0.0, 1.0):
        missed = unseen(len(values_P))
        return Share(value, *((0.0, missed) if value == 0 else (1 - missed, 1.0)), method=WILSON)
    trials = effective_trials(values_P, value)
    return Share(value, *wilson(value * trials, trials), method=WILSON)


def effective_trials(values_P: Sequence[float], mean: float) -> float:
    """Return how many independent trials these prompts are worth, at least one a prompt."""
    prompts = len(values_P)
    worst = mean * (1 - mean)
    spread = math.fsum((each - mean) ** 2 for each in values_P) / max(prompts - 1, 1)
    ratio = min(1.0, spread / worst) if prompts > 1 else 1.0
    telling = min(sum(each > 0 for each in values_P), sum(each < 1 for each in values_P))
    return prompts * (telling + SHRINKAGE) / (telling * ratio + SHRINKAGE)


def mean_within(values_P: Sequence[float], low: float, high: float) -> Share:
    """Return the mean of one number per prompt that can't leave these bounds."""
    width = high - low
    scaled = [min(max((each - low) / width, 0.0), 1.0) for each in values_P]
    found = share_over_prompts(scaled)
    value = fmean(values_P)
    return Share(value, low + width * found.low, low + width * found.high, found.method)


def mean_over_prompts(values_P: Sequence[float]) -> Estimate | None:
    """Return the mean of one number per prompt; None where there is none.

    It is a length or a time, hence never negative; of a single prompt there is no interval: both
    ends are None.
    """
    if not values_P:
        return None
    value, reach = fmean(values_P), reach_of_mean(values_P)
    if reach is None:
        return Estimate(value, None, None, NO_INTERVAL)
    return Estimate(value, max(0.0, value - reach), value + reach, STUDENT)
