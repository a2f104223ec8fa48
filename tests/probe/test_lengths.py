"""Lengths of answers, and what is not known of those that were cut."""

from __future__ import annotations

from collections.abc import Sequence

from sim.probe.lengths import lengths_of
from sim.probe.sample import ProbeSample


def sample(
    tokens: int | None, *, cut: bool = False, prompt: int = 0, number: int = 0
) -> ProbeSample:
    reason = "length" if cut else "stop"
    return ProbeSample(f"p{prompt}", prompt, number, "", tokens, 9, reason, 1.0, [])


def prompts(*tokens: int, cut_at: int = 10**9) -> list[Sequence[ProbeSample]]:
    return [[sample(t, cut=t == cut_at, prompt=place)] for place, t in enumerate(tokens)]


def share_at(found, limit: int) -> float | None:
    row = next(row for row in found.truncation if row.max_tokens == limit)
    return None if row.share is None else row.share.value


def test_percentiles_are_lengths_that_occurred() -> None:
    found = lengths_of(prompts(*range(1, 101)), limit=200)
    assert found is not None
    values = {percent: each.value for percent, each in found.percentiles.items()}
    assert values == {50: 50, 90: 90, 95: 95, 99: 99, 100: 100}


def test_a_smaller_limit_cuts_what_is_longer_than_it() -> None:
    found = lengths_of(prompts(10, 32, 33, 64, 65), limit=200)
    assert share_at(found, 32) == 3 / 5
    assert share_at(found, 64) == 1 / 5
    assert share_at(found, 200) == 0.0


def test_an_answer_cut_at_the_limit_leaves_larger_limits_unknown() -> None:
    found = lengths_of(prompts(10, 20, 128, 128, cut_at=128), limit=128)
    assert found is not None
    assert found.cut.value == 0.5
    assert share_at(found, 128) == 0.5
    assert share_at(found, 3 * 128) is None


def test_an_answer_that_ends_exactly_at_the_limit_was_not_cut() -> None:
    found = lengths_of(prompts(96, 40), limit=96)
    assert share_at(found, 96) == 0.0


def test_without_token_counts_nothing_is_said() -> None:
    assert lengths_of([[sample(None)], [sample(None)]], limit=64) is None
