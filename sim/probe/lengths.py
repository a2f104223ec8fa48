"""How long the answers are, and how many a smaller or larger token limit would cut.

An answer that was cut has a length that nobody knows, only that it reaches past the limit; so
nothing is said about larger limits while answers were cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.probe.intervals import BOOTSTRAP, Estimate, bounds, mean_over_prompts, resamples
from sim.probe.sample import ProbeSample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Holds = Callable[[ProbeSample], bool]

PERCENTILES = (50, 90, 95, 99, 100)
CANDIDATES = (32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096, 8192, 16384)
P99_FACTOR = 3
"""inferenceMaxTokens is advised at 3 x the 99th percentile (AWS sample notebooks)."""


@dataclass(frozen=True)
class Truncation:
    """What one inferenceMaxTokens would do."""

    max_tokens: int
    share: Estimate | None
    """Share of answers it would cut; None: unknown, because answers were cut at a lower limit."""


@dataclass(frozen=True)
class Lengths:
    """Response lengths in tokens of the probed model."""

    limit: int
    """inferenceMaxTokens of the probe."""
    mean: Estimate
    percentiles: dict[int, Estimate]
    """By percent; those that fall on cut answers are lower bounds."""
    cut: Estimate
    """Share of answers cut at the limit."""
    truncation: tuple[Truncation, ...]


def lengths_of(samples_P: Sequence[Sequence[ProbeSample]], *, limit: int) -> Lengths | None:
    """Summarise the samples (grouped by prompt) whose length is known; None where none is."""
    known_P = [[s for s in samples if s.tokens is not None] for samples in samples_P]
    known_P = [samples for samples in known_P if samples]
    if not known_P:
        return None
    tokens_P = [[int(s.tokens or 0) for s in samples] for samples in known_P]
    mean = mean_over_prompts([sum(t) / len(t) for t in tokens_P], is_share=False)
    cut = _share(known_P, lambda s: s.stop_reason == "length")
    assert mean is not None
    assert cut is not None
    return Lengths(
        limit=limit,
        mean=mean,
        percentiles=_percentiles(tokens_P),
        cut=cut,
        truncation=_truncation(known_P, tokens_P, limit=limit, any_cut=cut.value > 0),
    )


def _share(samples_P: Sequence[Sequence[ProbeSample]], holds: Holds) -> Estimate | None:
    shares = [sum(map(holds, samples)) / len(samples) for samples in samples_P]
    return mean_over_prompts(shares, is_share=True)


def _percentiles(tokens_P: Sequence[Sequence[int]]) -> dict[int, Estimate]:
    """Return each percentile of all answers; one sort per resample serves them all."""
    import numpy as np

    arrays_P = [np.asarray(tokens) for tokens in tokens_P]
    found = _at_percents(np.concatenate(arrays_P))
    draws = np.array(
        [
            _at_percents(np.concatenate([arrays_P[place] for place in chosen]))
            for chosen in resamples(len(arrays_P))
        ]
    )
    return {
        percent: Estimate(found[column], *bounds(draws[:, column]), method=BOOTSTRAP)
        for column, percent in enumerate(PERCENTILES)
    }


def _at_percents(tokens: NDArray[np.int64]) -> list[int]:
    import numpy as np

    ordered = np.sort(tokens)
    return [int(ordered[_rank(percent, len(ordered))]) for percent in PERCENTILES]


def percentile(values: Sequence[int], percent: int) -> int:
    """Return the smallest value with at least that share of all values at or below it."""
    return sorted(values)[_rank(percent, len(values))]


def _rank(percent: int, of: int) -> int:
    return max(0, math.ceil(percent * of / 100) - 1)


def _truncation(
    known_P: Sequence[Sequence[ProbeSample]],
    tokens_P: Sequence[Sequence[int]],
    *,
    limit: int,
    any_cut: bool,
) -> tuple[Truncation, ...]:
    longest = max(t for tokens in tokens_P for t in tokens)
    advised = P99_FACTOR * percentile([t for tokens in tokens_P for t in tokens], 99)
    beyond = min((c for c in CANDIDATES if c > longest), default=longest)
    inside = [c for c in CANDIDATES if min(map(min, tokens_P)) <= c <= beyond]
    candidates = sorted({*inside, limit, advised})
    return tuple(
        Truncation(c, None if any_cut and c > limit else _cut_share(known_P, c)) for c in candidates
    )


def _cut_share(known_P: Sequence[Sequence[ProbeSample]], limit: int) -> Estimate | None:
    def is_cut(sample: ProbeSample) -> bool:
        tokens = sample.tokens or 0
        return tokens > limit or (tokens == limit and sample.stop_reason == "length")

    return _share(known_P, is_cut)
