"""Which rows are trained on: the split and the length filter.

It never shuffles: both halves of a split keep the order of the file.

Sources: aws/sagemaker-hyperpod-recipes, verl GRPO recipes (0.9/0.1 split with seed 42, overlong
prompts filtered); the generator behind AWS's own split is not published, so which rows fall into
which half is our choice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import TypeVar

from bedrock_rft_sim.data.row import Row

T = TypeVar("T")


def split_rows(rows: Sequence[T], fraction: float, seed: int) -> tuple[list[T], list[T]]:
    """Return the training rows and, rounded up, the `fraction` of rows held out for validation."""
    import numpy as np

    exact = math.ceil(Fraction(str(fraction)) * len(rows))  # 0.1 * 70 as floats is over 7
    count = min(exact, max(len(rows) - 1, 0))
    held_out = set(np.random.default_rng(seed).permutation(len(rows))[:count].tolist())
    train = [row for index, row in enumerate(rows) if index not in held_out]
    validation = [row for index, row in enumerate(rows) if index in held_out]
    return train, validation


def drop_long(
    rows: Iterable[Row], counter: Callable[[Row], int], max_prompt_length: int
) -> tuple[list[Row], list[Row]]:
    """Return the rows whose prompt has at most that many tokens, and the others."""
    kept: list[Row] = []
    dropped: list[Row] = []
    for row in rows:
        (kept if counter(row) <= max_prompt_length else dropped).append(row)
    return kept, dropped
