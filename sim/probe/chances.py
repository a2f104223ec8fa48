"""What k graded samples of a prompt say about groups of another size.

A group is mixed when at least two of its grades differ; only such groups teach (every advantage of
the others is 0). Axis suffixes: `_P` prompts, `_K` samples of a prompt.

Sources: Chen et al., "Evaluating Large Language Models Trained on Code", 2021 (unbiased pass@k);
the hypergeometric distribution; Skellam, "A probability distribution derived from the binomial",
1948 (beta-binomial, fitted by its first two moments).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

ALL_ALIKE = 0.999
"""Largest correlation between samples of a prompt that the fit returns; at 1 it has no shape."""


def pass_at(k: int, *, solved: int, samples: int) -> float:
    """Return the unbiased chance that at least one of k samples is solved; k <= samples."""
    return 1.0 - math.comb(samples - solved, k) / math.comb(samples, k)


def mixed_chance(grades_K: Sequence[float], group: int) -> float:
    """Return the unbiased chance that a group of this size holds two different grades.

    All samples of the prompt were drawn alike, so a group is any `group` of them, and those with
    one grade only are counted; `group` must not exceed the number of samples.
    """
    alike = sum(math.comb(count, group) for count in Counter(grades_K).values())
    return 1.0 - alike / math.comb(len(grades_K), group)


@dataclass(frozen=True)
class BetaBinomial:
    """Prompts differ in how often they are solved: a beta distribution of success rates."""

    mean: float
    correlation: float
    """Between two samples of one prompt; 0: all prompts alike, 1: each always or never solved."""

    def mixed_chance(self, group: int) -> float:
        """Return the chance that a group holds a solved and an unsolved sample."""
        return 1.0 - self._all(self.mean, group) - self._all(1.0 - self.mean, group)

    def _all(self, share: float, group: int) -> float:
        """Return the chance that all of a group are of the kind that has this mean share."""
        rho = self.correlation
        return math.prod(
            (share * (1 - rho) + rho * drawn) / (1 - rho + rho * drawn) for drawn in range(group)
        )


def fit(solved_P: Sequence[int], samples: int) -> BetaBinomial:
    """Fit the mean and the correlation of prompts with this many samples each (at least 2)."""
    mean = math.fsum(solved_P) / (len(solved_P) * samples)
    binomial = mean * (1 - mean)
    if binomial == 0:
        return BetaBinomial(mean, 0.0)
    alike = math.fsum(s * (s - 1) + (samples - s) * (samples - s - 1) for s in solved_P)
    pairs = len(solved_P) * samples * (samples - 1)
    # The share of equal pairs is 1 - 2 p (1 - p) (1 - rho).
    rho = 1 - (1 - alike / pairs) / (2 * binomial)
    return BetaBinomial(mean, min(max(rho, 0.0), ALL_ALIKE))
