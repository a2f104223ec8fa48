"""How long the answers are, and how many a smaller or larger token limit would cut.

An answer that was cut has a length that nobody knows, only that it reaches past the limit; so
percentiles that fall on one, and the mean, are lower bounds, and nothing is said about larger
limits while answers were cut.

Source: Woodruff, "Confidence intervals for medians and other position measures", JASA 1952 (the
interval of a percentile from that of the share below it).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bedrock_rft_sim.probe import intervals
from bedrock_rft_sim.probe.sample import ProbeSample
from bedrock_rft_sim.stats.shares import percentile, rank_at, wilson
from bedrock_rft_sim.stats.student import TAIL

Holds = Callable[[ProbeSample], bool]

PERCENTILES = (50, 90, 95, 99, 100)
CANDIDATES = (32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096, 8192, 16384)
P99_FACTOR = 3
"""inferenceMaxTokens is advised at 3 x the 99th percentile (AWS sample notebooks)."""
ORDERED = "order statistics over prompts"


@dataclass(frozen=True)
class Length(intervals.Estimate):
    """A number of tokens; None as an end: not known, as where answers were cut."""

    at_least: bool
    """Whether cut answers make it a lower bound."""


@dataclass(frozen=True)
class Truncation:
    """What one inferenceMaxTokens would do."""

    max_tokens: int
    share: intervals.Share | None
    """Share of answers it would cut; None: unknown, because answers were cut at a lower limit."""


@dataclass(frozen=True)
class ResponseLengths:
    """Response lengths in tokens of the probed model."""

    limit: int
    """inferenceMaxTokens of the probe."""
    mean: Length
    """Of the answers as they were cut; what whole answers would have is at least that."""
    percentiles: dict[int, Length]
    """By percent."""
    cut: intervals.Share
    """Share of answers cut at the limit."""
    truncation: tuple[Truncation, ...]


def lengths_of(samples_P: Sequence[Sequence[ProbeSample]], *, limit: int) -> ResponseLengths | None:
    """Summarise the samples (grouped by prompt) whose length is known; None where none is."""
    known_P = [[s for s in samples if s.tokens is not None] for samples in samples_P]
    known_P = [samples for samples in known_P if samples]
    if not known_P:
        return None
    cut = cut_share(known_P)
    assert cut is not None
    return ResponseLengths(
        limit=limit,
        mean=_mean(known_P, limit=limit, any_cut=cut.value > 0),
        percentiles={percent: _percentile(known_P, percent) for percent in PERCENTILES},
        cut=cut,
        truncation=_truncation(known_P, limit=limit, any_cut=cut.value > 0),
    )


def cut_share(samples_P: Sequence[Sequence[ProbeSample]]) -> intervals.Share | None:
    """Return the share of answers cut at the limit, by what the model's server said of each."""
    known_P = [[s for s in samples if s.stop_reason is not None] for samples in samples_P]
    known_P = [samples for samples in known_P if samples]
    return _share(known_P, _was_cut) if known_P else None


def _was_cut(sample: ProbeSample) -> bool:
    return sample.stop_reason == "length"


def _share(samples_P: Sequence[Sequence[ProbeSample]], holds: Holds) -> intervals.Share:
    return intervals.share_over_prompts(
        [sum(map(holds, samples)) / len(samples) for samples in samples_P]
    )


def _mean(known_P: Sequence[Sequence[ProbeSample]], *, limit: int, any_cut: bool) -> Length:
    means_P = [sum(s.tokens or 0 for s in samples) / len(samples) for samples in known_P]
    found = intervals.mean_over_prompts(means_P)
    assert found is not None
    if len(means_P) > 1 and found.low == found.high:  # no spread was seen; the limit bounds it
        found = intervals.mean_within(means_P, 0.0, max(limit, *means_P))
    return Length(found.value, found.low, found.high, found.method, any_cut)


def _percentile(known_P: Sequence[Sequence[ProbeSample]], percent: int) -> Length:
    """Return the percentile, with the answers that bound the true one; cut ones come last."""
    ordered = sorted((s for samples in known_P for s in samples), key=_by_length)
    found = ordered[rank_at(percent / 100, len(ordered))]
    low, high = _shares_below(known_P, found, percent / 100)
    top = None if high is None else ordered[rank_at(high, len(ordered))]
    return Length(
        value=found.tokens or 0,
        low=None if low is None else ordered[rank_at(low, len(ordered))].tokens,
        high=None if top is None or _was_cut(top) else top.tokens,
        method=ORDERED,
        at_least=_was_cut(found),
    )


def _shares_below(
    known_P: Sequence[Sequence[ProbeSample]], found: ProbeSample, share: float
) -> tuple[float | None, float | None]:
    """Return how low and how high in the order of the answers the true percentile may stand.

    None: beyond all that were seen, as where so many answers below it are no wonder.
    """
    limit = _by_length(found)
    below_P = [sum(_by_length(s) <= limit for s in samples) / len(samples) for samples in known_P]
    if share == 1:  # the longest of all is at least the longest seen
        return share, None
    if len(known_P) == 1:
        return None, None
    mean = math.fsum(below_P) / len(below_P)
    trials = intervals.effective_trials(below_P, mean) if 0 < mean < 1 else float(len(known_P))
    low, high = wilson(share * trials, trials)
    return (None if (1 - share) ** trials > TAIL else low), (None if share**trials > TAIL else high)


def _by_length(sample: ProbeSample) -> tuple[bool, int]:
    return _was_cut(sample), sample.tokens or 0


def _truncation(
    known_P: Sequence[Sequence[ProbeSample]], *, limit: int, any_cut: bool
) -> tuple[Truncation, ...]:
    tokens = [s.tokens or 0 for samples in known_P for s in samples]
    advised = P99_FACTOR * percentile(tokens, 0.99)
    beyond = min((c for c in CANDIDATES if c > max(tokens)), default=max(tokens))
    inside = [c for c in CANDIDATES if min(tokens) <= c <= beyond]
    candidates = sorted({*inside, limit, advised})
    return tuple(
        Truncation(c, None if any_cut and c > limit else _cut_share(known_P, c)) for c in candidates
    )


def _cut_share(known_P: Sequence[Sequence[ProbeSample]], limit: int) -> intervals.Share:
    def is_cut(sample: ProbeSample) -> bool:
        tokens = sample.tokens or 0
        return tokens > limit or (tokens == limit and _was_cut(sample))

    return _share(known_P, is_cut)
