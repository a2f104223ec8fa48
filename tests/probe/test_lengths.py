"""Lengths of answers, and what is not known of those that were cut."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from bedrock_rft_sim.probe.lengths import cut_share, lengths_of
from bedrock_rft_sim.probe.sample import ProbeSample


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


def test_percentiles_and_the_mean_have_intervals() -> None:
    found = lengths_of(prompts(*range(1, 201)), limit=999)
    assert found is not None
    median = found.percentiles[50]
    # binomial: the 87th and the 115th of 200 bracket the median with 95 %
    assert (median.low, median.high) == pytest.approx((86, 114), abs=2)
    assert found.mean.low == pytest.approx(100.5 - 8.1, abs=0.2)
    assert found.mean.high == pytest.approx(100.5 + 8.1, abs=0.2)
    assert not found.mean.at_least


def test_nobody_knows_the_longest_answer_of_all() -> None:
    found = lengths_of(prompts(*range(1, 65)), limit=999)
    assert found is not None
    longest = found.percentiles[100]
    assert (longest.value, longest.low, longest.high) == (64, 64, None)
    assert found.percentiles[99].high is None  # 0.99^64: half of all series stay below it


def test_the_interval_of_a_percentile_holds_the_true_one() -> None:
    source = random.Random(2)
    within, trials = 0, 100
    for _ in range(trials):
        drawn = []
        for place in range(40):
            base = source.randrange(500)
            tokens = [base + source.randrange(500) for _ in range(4)]
            drawn.append([sample(t, prompt=place) for t in tokens])
        found = lengths_of(drawn, limit=9999)
        assert found is not None
        low, high = found.percentiles[50].low, found.percentiles[50].high
        assert low is not None
        assert high is not None
        within += low <= 499 <= high
    assert within >= 0.92 * trials


def test_what_falls_on_cut_answers_is_a_lower_bound() -> None:
    found = lengths_of(prompts(*range(1, 31), *[64] * 10, cut_at=64), limit=64)
    assert found is not None
    assert {percent: each.at_least for percent, each in found.percentiles.items()} == {
        50: False,
        90: True,
        95: True,
        99: True,
        100: True,
    }
    assert found.percentiles[90].high is None
    assert found.mean.at_least


def test_answers_of_one_length_only_leave_room_for_others() -> None:
    found = lengths_of(prompts(*[5] * 20), limit=100)
    assert found is not None
    assert found.mean.value == 5
    assert found.mean.low is not None
    assert found.mean.high is not None
    assert found.mean.low < 5 < found.mean.high


def test_one_prompt_has_no_interval() -> None:
    found = lengths_of([[sample(3), sample(9)]], limit=100)
    assert found is not None
    assert (found.mean.value, found.mean.low, found.mean.high) == (6, None, None)
    assert (found.percentiles[50].low, found.percentiles[50].high) == (None, None)


def test_the_share_cut_is_known_without_token_counts() -> None:
    uncounted = [[sample(None, cut=True)], [sample(None)], [sample(None)], [sample(None)]]
    assert lengths_of(uncounted, limit=64) is None
    found = cut_share(uncounted)
    assert found is not None
    assert found.value == 0.25
