"""What the first training step will show: its mean reward and its share of mixed groups.

A prediction for one step is wider than the interval of the mean it scatters around: the step's
prompts, and the samples of each, are another draw. It holds for a step whose prompts are like the
probed ones; a file sorted by difficulty starts elsewhere.

Axis suffixes: `_R` resamples, `_P` prompts, `_B` prompts of a step, `_G` samples of a group.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993; both draws are repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sim.probe.intervals import (
    SEED,
    Estimate,
    bounds,
    mean_over_prompts,
    resamples,
    wilson,
)
from sim.probe.mixed import MixedGroups

DRAWS_AT_ONCE = 2_000_000
PREDICTION = "prediction for one step, bootstrap"


@dataclass(frozen=True)
class FirstStep:
    """The first point of the curve, and how far from its mean it may lie."""

    batch_size: int
    samples_per_prompt: int
    reward_mean: Estimate
    """The mean over all prompts like the probed ones."""
    reward: Estimate
    """`critic_rewards_mean` of one step."""
    mixed_share: Estimate | None
    """`local_groups_mixed` of one step; None where neither count nor model gives it."""


def predict(grades_P_K: Sequence[Sequence[float]], *, batch: int, group: int) -> FirstStep:
    """Predict one step of `batch` prompts with `group` samples each."""
    means_P = [sum(grades_K) / len(grades_K) for grades_K in grades_P_K]
    is_share = all(grade in (0, 1) for grades_K in grades_P_K for grade in grades_K)
    mean = mean_over_prompts(means_P, is_share=is_share)
    assert mean is not None
    low, high = _step_reward(grades_P_K, batch, group)
    if low == high:  # no spread was seen, so only the mean's own interval is left
        low, high = mean.low, mean.high
    return FirstStep(
        batch_size=batch,
        samples_per_prompt=group,
        reward_mean=mean,
        reward=Estimate(mean.value, min(low, mean.low), max(high, mean.high), PREDICTION),
        mixed_share=_mixed(MixedGroups(grades_P_K), grades_P_K, batch, group),
    )


def _step_reward(
    grades_P_K: Sequence[Sequence[float]], batch: int, group: int
) -> tuple[float, float]:
    """Draw the prompts again, a step's prompts from them, and each prompt's samples again."""
    import numpy as np

    random = np.random.default_rng(SEED + 1)
    samples_P = np.array([len(grades_K) for grades_K in grades_P_K])
    grades_PK = np.zeros((len(grades_P_K), int(samples_P.max())))
    for place, grades_K in enumerate(grades_P_K):
        grades_PK[place, : len(grades_K)] = grades_K
    chosen_RP = resamples(len(grades_P_K))
    size = max(1, DRAWS_AT_ONCE // (batch * group))
    means = []
    for start in range(0, len(chosen_RP), size):
        some_RP = chosen_RP[start : start + size]
        places_RB = random.integers(some_RP.shape[1], size=(len(some_RP), batch))
        prompts_RB = np.take_along_axis(some_RP, places_RB, axis=1)
        draws_RBG = random.random((len(some_RP), batch, group)) * samples_P[prompts_RB][..., None]
        seen_RBG = grades_PK[prompts_RB[..., None], draws_RBG.astype(int)]
        means.append(seen_RBG.mean(axis=(1, 2)))
    return bounds(np.concatenate(means))


def _mixed(
    groups: MixedGroups, grades_P_K: Sequence[Sequence[float]], batch: int, group: int
) -> Estimate | None:
    import numpy as np

    mixed = groups.share(group)
    if mixed is None:
        return None
    value, draws = mixed.value, mixed.draws
    random = np.random.default_rng(SEED + 2)
    low, high = bounds(random.binomial(batch, np.clip(draws, 0.0, 1.0)) / batch)
    if value in (0.0, 1.0):
        sure_low, sure_high = wilson(round(value * len(grades_P_K)), len(grades_P_K))
        low, high = min(low, sure_low), max(high, sure_high)
    return Estimate(value, low, high, PREDICTION)
