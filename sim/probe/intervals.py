"""How sure a probe's numbers are: Wilson's interval for a count, the bootstrap for the rest.

The prompt is what is drawn at random, so the prompt is what is resampled: the samples of one prompt
stay together. Every interval covers 95 %.

Sources: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927;
Efron and Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile interval).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVEL = 0.95
Z = 1.959963984540054  # of the standard normal, at 97.5 %
RESAMPLES = 2000
RESAMPLES_MIN = 400
DRAWS_MAX = 8_000_000
"""Beyond this many prompts drawn in all there are fewer resamples, down to the minimum."""
SEED = 0  # the same samples give the same interval

WILSON = "Wilson, over prompts"
BOOTSTRAP = "bootstrap over prompts"


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval and how that was found."""

    value: float
    low: float
    high: float
    method: str


def wilson(count: int, of: int) -> tuple[float, float]:
    """Return Wilson's interval for a share of independent trials."""
    share = count / of
    centre = share + Z * Z / (2 * of)
    spread = Z * math.sqrt(share * (1 - share) / of + Z * Z / (4 * of * of))
    scale = 1 + Z * Z / of
    low = 0.0 if count == 0 else max(0.0, (centre - spread) / scale)
    high = 1.0 if count == of else min(1.0, (centre + spread) / scale)
    return low, high


def share_of_prompts(count: int, of: int) -> Estimate | None:
    """Return the share of prompts that have a property; None where there is no prompt."""
    return Estimate(count / of, *wilson(count, of), method=WILSON) if of else None


def mean_over_prompts(values_P: Sequence[float], *, is_share: bool) -> Estimate | None:
    """Return the mean of one number per prompt; None where there is none.

    Where all prompts agree on 0 or on 1 a bootstrap would claim to be certain, so there a share
    gets Wilson's interval over the prompts.
    """
    if not values_P:
        return None
    value = math.fsum(values_P) / len(values_P)
    if is_share and value in (0.0, 1.0):
        return Estimate(value, *wilson(round(value * len(values_P)), len(values_P)), method=WILSON)
    low, high = bounds(resampled_means(values_P))
    return Estimate(value, low, high, BOOTSTRAP)


def resampled_means(values_P: Sequence[float]) -> NDArray[np.float64]:
    """Return the mean of each resample of the prompts."""
    import numpy as np

    values = np.asarray(values_P, dtype=float)
    means: NDArray[np.float64] = values[resamples(len(values))].mean(axis=1)
    return means


def resamples(prompts: int) -> NDArray[np.int64]:
    """Return draws of as many prompts as there are, with replacement; the same every time."""
    import numpy as np

    count = max(RESAMPLES_MIN, min(RESAMPLES, DRAWS_MAX // prompts))
    draws: NDArray[np.int64] = np.random.default_rng(SEED).integers(prompts, size=(count, prompts))
    return draws


def bounds(values: Any) -> tuple[float, float]:
    """Return the interval that holds 95 % of the values, its ends among them."""
    import numpy as np

    tail = (1 - LEVEL) / 2
    low = np.quantile(values, tail, method="lower")
    return float(low), float(np.quantile(values, 1 - tail, method="higher"))
