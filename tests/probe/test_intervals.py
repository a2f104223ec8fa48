"""Intervals, held against scipy, against numbers that are known, and against simulation."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.probe.intervals import (
    mean_over_prompts,
    mean_within,
    share_over_prompts,
)
from bedrock_rft_sim.stats.shares import wilson


@given(st.integers(2, 100), st.data())
def test_prompts_that_are_each_solved_or_not_are_worth_one_trial_each(of, data) -> None:
    count = data.draw(st.integers(1, of - 1))
    found = share_over_prompts([1.0] * count + [0.0] * (of - count))
    assert (found.low, found.high) == pytest.approx(wilson(count, of))


def test_a_share_over_prompts_is_as_unsure_as_the_central_limit_says() -> None:
    found = share_over_prompts([0.25, 0.75] * 200)
    assert found.value == 0.5
    assert found.low == pytest.approx(0.5 - 1.96 * 0.0125, abs=0.001)
    assert found.high == pytest.approx(0.5 + 1.96 * 0.0125, abs=0.001)


@pytest.mark.parametrize(("value", "side"), [(0.0, "high"), (1.0, "low")])
def test_prompts_that_all_agree_leave_room_for_one_that_does_not(value, side) -> None:
    found = share_over_prompts([value] * 20)
    assert "Wilson" in found.method
    # 0.95 of all series of 20 would have shown a share of 13.9 % once: 1 - 0.05^(1/20)
    assert abs(getattr(found, side) - value) == pytest.approx(0.139, abs=0.001)


def test_one_success_more_never_makes_the_upper_end_jump_or_fall() -> None:
    """0, 1, 2 ... of 512 samples, each in a prompt of its own."""
    highs = [share_over_prompts([0.125] * n + [0.0] * (64 - n)).high for n in range(8)]
    assert highs[0] == pytest.approx(0.0457, abs=0.0001)
    for few, more in itertools.pairwise(highs):
        assert few * 0.8 < more < few * 1.3


@pytest.mark.parametrize("values", [[0.5], [0.5] * 8, [0.25, 0.25]])
def test_no_share_has_an_interval_without_width(values) -> None:
    found = share_over_prompts(values)
    assert found.low < found.value - 0.1
    assert found.high > found.value + 0.1


POPULATIONS: dict[str, tuple[Callable[[random.Random], float], float]] = {
    "a third at 0.02": (lambda s: 0.02 * (s.random() < 0.3), 0.006),
    "all at 0.01": (lambda _s: 0.01, 0.01),
    "2 % always": (lambda s: float(s.random() < 0.02), 0.02),
    "beta 0.1, 2": (lambda s: s.betavariate(0.1, 2), 0.1 / 2.1),
    "beta 0.6, 1.2": (lambda s: s.betavariate(0.6, 1.2), 1 / 3),
    "all at 0.5": (lambda _s: 0.5, 0.5),
    "beta 5, 0.2": (lambda s: s.betavariate(5, 0.2), 5 / 5.2),
    "all at 0.97": (lambda _s: 0.97, 0.97),
}


@pytest.mark.parametrize("name", POPULATIONS)
@pytest.mark.parametrize(("prompts", "samples"), [(64, 8), (12, 4)])
def test_the_interval_holds_the_true_share_about_as_often_as_it_says(
    name, prompts, samples
) -> None:
    rate, truth = POPULATIONS[name]
    source = random.Random(3)
    trials = 200
    within = 0
    for _ in range(trials):
        rates = [rate(source) for _ in range(prompts)]
        solved = [sum(source.random() < r for _ in range(samples)) / samples for r in rates]
        found = share_over_prompts(solved)
        within += found.low <= truth <= found.high
    assert within >= 0.92 * trials


def test_grades_beyond_0_and_1_keep_their_scale() -> None:
    ours, plain = mean_within([-1.0, 3.0] * 9, -1.0, 3.0), share_over_prompts([0.0, 1.0] * 9)
    assert ours.value == 1.0
    assert (ours.low, ours.high) == pytest.approx((4 * plain.low - 1, 4 * plain.high - 1))


def test_a_mean_of_lengths_has_student_s_interval() -> None:
    from scipy.stats import t

    values = [3.0, 5.0, 4.0, 9.0]
    found = mean_over_prompts(values)
    low, high = t.interval(0.95, 3, loc=5.25, scale=2.6299556396765835 / 2)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high))


def test_one_prompt_has_a_mean_length_and_no_interval() -> None:
    found = mean_over_prompts([7.0])
    assert found is not None
    assert (found.value, found.low, found.high) == (7.0, None, None)


def test_no_prompt_has_no_mean() -> None:
    assert mean_over_prompts([]) is None
