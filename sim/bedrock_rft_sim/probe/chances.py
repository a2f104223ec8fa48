"""What k graded samples of a prompt say about groups of no more than k.

A group is mixed when at least two of its grades differ; only such groups teach (every advantage of
the others is 0). Axis suffix: `_K` samples of a prompt.

Sources: Chen et al., "Evaluating Large Language Models Trained on Code", 2021 (unbiased pass@k);
the hypergeometric distribution.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence


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
