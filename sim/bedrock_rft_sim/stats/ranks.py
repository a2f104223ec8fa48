"""Statistics of order: rank correlations, their p-value by permutation, probability of improvement.

A side that never varies has no correlation. The p-value tries every order of few values, and else
a fixed number of random ones from a fixed seed, so that the same values give the same number; the
order that was found counts as one of them, so it is never 0.

Sources: Spearman as the correlation of average ranks; Kendall's tau-b (1945, with ties); Fisher's
permutation test, and Phipson and Smyth 2010 for counting the order that was found; Agarwal et al.
2021 (rliable) for the probability of improvement, the Mann-Whitney U over the number of pairs.
"""

from __future__ import annotations

import itertools
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

EXACT_MOST: Final = 8
"""Values; 8 have 40320 orders."""
SHUFFLES: Final = 20_000
SEED: Final = 0
ROUNDING: Final = 1e-9


def spearman(a: ArrayLike, b: ArrayLike) -> float | None:
    """Return Spearman's correlation, -1 to 1; None where one side never varies."""
    return _known(spearman_rows(a, b))


def spearman_rows(a: ArrayLike, b: ArrayLike) -> Array:
    """Return Spearman's correlation along the last axis; NaN where one side never varies."""
    return _cosine(_centred_ranks(a), _centred_ranks(b))


def kendall(a: ArrayLike, b: ArrayLike) -> float | None:
    """Return Kendall's tau-b, -1 to 1; None where one side is all ties."""
    return _known(kendall_rows(a, b))


def kendall_rows(a: ArrayLike, b: ArrayLike) -> Array:
    """Return Kendall's tau-b along the last axis; NaN where one side is all ties."""
    return _cosine(_signs_of_pairs(a), _signs_of_pairs(b))


def improvement(a: Array, b: Array) -> Array:
    """Return the share of pairs along the last axes in which b is above a, ties counting half."""
    difference = b[..., None, :] - a[..., :, None]
    return np.asarray(((difference > 0) + 0.5 * (difference == 0)).mean(axis=(-1, -2)))


def permutation_p(a: ArrayLike, b: ArrayLike) -> float | None:
    """Return the two-sided p-value of Spearman's correlation by permutation; None without one."""
    if spearman(a, b) is None:
        return None
    # The spread of the ranks is the same in every order, so their product alone decides.
    ranks_a, ranks_b = _centred_ranks(a), _centred_ranks(b)
    products = np.abs(_orders(ranks_b) @ ranks_a)
    as_far = int(np.sum(products >= abs(float(ranks_a @ ranks_b)) - ROUNDING))
    if len(ranks_a) <= EXACT_MOST:
        return as_far / len(products)
    return (as_far + 1) / (len(products) + 1)


def _orders(ranks: Array) -> Any:
    """Return the ranks in every order, or in many random ones."""
    if len(ranks) <= EXACT_MOST:
        return ranks[np.array(list(itertools.permutations(range(len(ranks)))))]
    return np.random.default_rng(SEED).permuted(np.tile(ranks, (SHUFFLES, 1)), axis=1)


def _centred_ranks(values: ArrayLike) -> Any:
    """Return the ranks along the last axis, ties sharing their mean rank, about their mean."""
    from scipy.stats import rankdata

    ranks = rankdata(values, axis=-1)
    return ranks - (np.shape(ranks)[-1] + 1) / 2


def _signs_of_pairs(values: ArrayLike) -> Any:
    listed = np.asarray(values, float)
    first, second = np.triu_indices(listed.shape[-1], 1)
    return np.sign(listed[..., first] - listed[..., second])


def _cosine(a: Any, b: Any) -> Array:
    scale = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    product = (a * b).sum(axis=-1)
    found = np.divide(product, scale, out=np.full_like(scale, np.nan), where=scale > 0)
    return np.clip(found, -1.0, 1.0)


def _known(value: Array) -> float | None:
    return None if np.isnan(value) else float(value)
