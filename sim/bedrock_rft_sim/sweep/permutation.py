"""How rare a rank correlation is when the results are shuffled over the settings.

Every order is tried where there are few settings, and else a fixed number of random ones, from a
fixed seed, so that the same results give the same number. The order that was found counts as one of
them, so the p-value is never 0.
Sources: Fisher's permutation test; Phipson and Smyth 2010 for counting the order that was found.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

EXACT_MOST: Final = 8
"""Settings; 8 have 40320 orders."""
SHUFFLES: Final = 20_000
SEED: Final = 0
ROUNDING: Final = 1e-9


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return Spearman's correlation and its two-sided p-value by permutation."""
    import numpy as np

    from bedrock_rft_sim.compare.ranks import average_ranks, spearman

    x, y = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    rho = float(spearman(x, y))
    # The spread of the ranks is the same in every order, so their product alone decides.
    ranks_x, ranks_y = (ranks - ranks.mean() for ranks in (average_ranks(x), average_ranks(y)))
    found = abs(float(ranks_x @ ranks_y))
    products = np.abs(_orders(ranks_y) @ ranks_x)
    as_far = int(np.sum(products >= found - ROUNDING))
    if len(pairs) <= EXACT_MOST:
        return rho, as_far / len(products)
    return rho, (as_far + 1) / (len(products) + 1)


def _orders(ranks: Array) -> Any:
    """Return the ranks in every order, or in many random ones."""
    import numpy as np

    if len(ranks) <= EXACT_MOST:
        return ranks[np.array(list(itertools.permutations(range(len(ranks)))))]
    random = np.random.default_rng(SEED)
    return random.permuted(np.tile(ranks, (SHUFFLES, 1)), axis=1)
