"""Other draws of the prompts, for what no formula covers: the first step of a run.

Rubin's bootstrap gives each prompt a random weight, around one prompt's worth. Two prompts that
nobody saw, one at either end of the scale, get half a prompt's worth each (Jeffreys' prior): so a
probe that saw no success does not predict with certainty that a step will see none.

Axis suffixes: `_R` resamples, `_W` prompts and the two unseen ones.

Source: Rubin, "The Bayesian Bootstrap", Annals of Statistics 1981.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


def weights(prompts: int) -> NDArray[np.float64]:
    """Return the weights of each resample, those of the unseen lowest and highest prompt last."""
    import numpy as np

    count = max(RESAMPLES_MIN, min(RESAMPLES, DRAWS_MAX // prompts))
    shapes_W = np.append(np.ones(prompts), [UNSEEN_WEIGHT, UNSEEN_WEIGHT])
    drawn_RW = np.random.default_rng(SEED).standard_gamma(shapes_W, size=(count, len(shapes_W)))
    shares_RW: NDArray[np.float64] = drawn_RW / drawn_RW.sum(axis=1, keepdims=True)
    return shares_RW


def bounds(values: Any) -> tuple[float, float]:
    """Return the interval that holds 95 % of the values, its ends among them."""
    import numpy as np

    low = np.quantile(values, TAIL, method="lower")
    return float(low), float(np.quantile(values, 1 - TAIL, method="higher"))
