"""What the first training step will show: its mean reward and its share of mixed groups.

A prediction for one step is wider than the interval of the mean it scatters around: the step's
prompts, and the samples of each, are another draw. It holds for a step whose prompts are like the
probed ones; a file sorted by difficulty starts elsewhere.

Rubin's bootstrap gives each prompt a random weight, around one prompt's worth. Two prompts that
nobody saw, one at either end of the scale, get half a prompt's worth each (Jeffreys' prior): so a
probe that saw no success does not predict with certainty that a step will see none.

Axis suffixes: `_R` resamples, `_P` prompts, `_W` prompts and two unseen ones, `_B` prompts of a
step, `_G` samples of a group.

Sources: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993; both draws are repeated.
Rubin, "The Bayesian Bootstrap", Annals of Statistics 1981.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.probe.intervals import Share, mean_within
from bedrock_rft_sim.probe.mixed import MixedGroups, MixedShare
from bedrock_rft_sim.stats.student import TAIL

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 2000
RESAMPLES_MIN = 400
DRAWS_MAX = 8_000_000
"""Beyond this many weights in all there are fewer resamples, down to the minimum."""
SEED = 0  # the same samples give the same interval
UNSEEN_WEIGHT = 0.5
DRAWS_AT_ONCE = 2_000_000
DRAWS = 2000
PREDICTION = "prediction for one step, bootstrap"

Scale = tuple[float, float]


@dataclass(frozen=True)
class FirstStep:
    """The first point of the curve, and how far from its mean it may lie."""

    batch_size: int
    samples_per_prompt: int
    reward_mean: Share
    """The mean over all prompts like the probed ones."""
    reward: Share
    """`critic_rewards_mean` of one step."""
    mixed_share: Share | None
    """`local_groups_mixed` of one step; None where it can be neither counted nor continued."""


def scale_of(grades_P_K: Sequence[Sequence[float]]) -> Scale:
    """Return the bounds of the grades: 0 and 1, or as far beyond as grades were seen."""
    grades = [grade for grades_K in grades_P_K for grade in grades_K]
    return min(0.0, *grades), max(1.0, *grades)


def predict(grades_P_K: Sequence[Sequence[float]], *, batch: int, group: int) -> FirstStep:
    """Predict one step of `batch` prompts with `group` samples each."""
    scale = scale_of(grades_P_K)
    mean = mean_within([sum(each) / len(each) for each in grades_P_K], *scale)
    low, high = _step_reward(grades_P_K, scale, batch, group)
    return FirstStep(
        batch_size=batch,
        samples_per_prompt=group,
        reward_mean=mean,
        reward=_prediction(mean, low, high),
        mixed_share=_mixed(MixedGroups(grades_P_K).share(group), batch),
    )


def _prediction(mean: Share, low: float, high: float) -> Share:
    """Return the interval of a step, which is never narrower than that of its mean."""
    return Share(mean.value, min(low, mean.low), max(high, mean.high), PREDICTION)


def _step_reward(
    grades_P_K: Sequence[Sequence[float]], scale: Scale, batch: int, group: int
) -> tuple[float, float]:
    """Weigh the prompts anew, draw a step's prompts, and each prompt's samples again."""
    import numpy as np

    random = np.random.default_rng(SEED + 1)
    grades_W_K = [*grades_P_K, *([end] for end in scale)]
    samples_W = np.array([len(grades_K) for grades_K in grades_W_K])
    grades_WK = np.zeros((len(grades_W_K), int(samples_W.max())))
    for place, grades_K in enumerate(grades_W_K):
        grades_WK[place, : len(grades_K)] = grades_K
    weights_RW = _weights(len(grades_P_K))
    size = max(1, DRAWS_AT_ONCE // (batch * group))
    means = []
    for start in range(0, len(weights_RW), size):
        prompts_RB = _drawn(weights_RW[start : start + size], batch, random)
        draws_RBG = random.random((*prompts_RB.shape, group)) * samples_W[prompts_RB][..., None]
        seen_RBG = grades_WK[prompts_RB[..., None], draws_RBG.astype(int)]
        means.append(seen_RBG.mean(axis=(1, 2)))
    return _bounds(np.concatenate(means))


def _drawn(
    weights_RW: NDArray[np.float64], batch: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """Draw a step's prompts from each resample, by its weights."""
    import numpy as np

    ends_RW = weights_RW.cumsum(axis=1)
    drawn_RB = random.random((len(weights_RW), batch))
    places = [np.searchsorted(e, d) for e, d in zip(ends_RW, drawn_RB, strict=True)]
    found: NDArray[np.int64] = np.minimum(places, weights_RW.shape[1] - 1)
    return found


def _mixed(mixed: MixedShare | None, batch: int) -> Share | None:
    import numpy as np

    if mixed is None:
        return None
    random = np.random.default_rng(SEED + 2)
    if mixed.chances_P is None:  # each end of the share may be the true one
        low, _ = _bounds(random.binomial(batch, mixed.estimate.low, size=DRAWS) / batch)
        _, high = _bounds(random.binomial(batch, mixed.estimate.high, size=DRAWS) / batch)
    else:
        shares_R = _weights(len(mixed.chances_P)) @ np.array([*mixed.chances_P, 0.0, 1.0])
        low, high = _bounds(random.binomial(batch, np.clip(shares_R, 0.0, 1.0)) / batch)
    return _prediction(mixed.estimate, low, high)


def _weights(prompts: int) -> NDArray[np.float64]:
    """Return the weights of each resample, those of the unseen lowest and highest prompt last."""
    import numpy as np

    count = max(RESAMPLES_MIN, min(RESAMPLES, DRAWS_MAX // prompts))
    shapes_W = np.append(np.ones(prompts), [UNSEEN_WEIGHT, UNSEEN_WEIGHT])
    drawn_RW = np.random.default_rng(SEED).standard_gamma(shapes_W, size=(count, len(shapes_W)))
    shares_RW: NDArray[np.float64] = drawn_RW / drawn_RW.sum(axis=1, keepdims=True)
    return shares_RW


def _bounds(values: Any) -> tuple[float, float]:
    """Return the interval that holds 95 % of the values, its ends among them."""
    import numpy as np

    low = np.quantile(values, TAIL, method="lower")
    return float(low), float(np.quantile(values, 1 - TAIL, method="higher"))
