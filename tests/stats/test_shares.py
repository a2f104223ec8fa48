"""Shares, percentiles and means, held against scipy, numpy and numbers that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.stats.shares import (
    counted,
    mean,
    percent,
    percentile,
    unseen,
    weighted_mean,
    wilson,
)


def test_nothing_has_no_mean() -> None:
    assert mean([]) is None
    assert weighted_mean([]) is None
    assert weighted_mean([(3.0, 0)]) is None


def test_a_weighted_mean_counts_a_value_by_its_weight() -> None:
    assert weighted_mean([(1.0, 3), (5.0, 1)]) == 2.0


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.sampled_from([1, 25, 50, 75, 100]))
def test_a_percentile_is_numpy_s_inverted_distribution(values, hundredths) -> None:
    theirs = np.percentile(values, hundredths, method="inverted_cdf")
    assert percentile(values, hundredths / 100) == theirs


@pytest.mark.parametrize("count", [20, 60, 100, 300])
def test_rounding_never_moves_a_percentile(count) -> None:
    for hundredths in range(1, 101):
        expected = -(-hundredths * count // 100) - 1
        assert percentile(range(count), hundredths / 100) == expected


@given(st.integers(1, 400), st.data())
def test_wilson_s_interval_is_scipy_s(of, data) -> None:
    from scipy.stats import binomtest

    count = data.draw(st.integers(0, of))
    theirs = binomtest(count, of).proportion_ci(method="wilson")
    assert wilson(count, of) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_what_was_not_seen_in_sixty_trials_is_rarer_than_one_in_twenty() -> None:
    assert unseen(60) == pytest.approx(0.0487, abs=0.0001)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "0 %"),
        (0.0005, "under 0.1 %"),
        (0.003, "0.3 %"),
        (0.05, "5.0 %"),
        (0.5, "50 %"),
        (1.0, "100 %"),
        (-0.25, "-25 %"),
    ],
)
def test_a_small_share_never_reads_as_nothing(share, words) -> None:
    assert percent(share) == words


def test_one_thing_has_no_plural() -> None:
    assert [counted(n, "point") for n in (0, 1, 1000)] == ["0 points", "1 point", "1,000 points"]
