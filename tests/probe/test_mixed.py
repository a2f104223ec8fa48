"""Shares of mixed groups, counted and continued, compared with rates that are known."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.probe.mixed import MixedGroups, mixed_chance, pass_at

SIZES = range(2, 17)
GRADES = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=8)
HALF_DEAD = [[0.0] * 8] * 32 + [[0.0] * 4 + [1.0] * 4] * 32


def value(groups: MixedGroups, size: int) -> float:
    share = groups.share(size)
    assert share is not None
    return share.estimate.value


def draw(rates: list[float], samples: int, source: random.Random) -> list[list[float]]:
    return [[float(source.random() < rate) for _ in range(samples)] for rate in rates]


@given(GRADES, st.data())
def test_the_mixed_chance_is_the_share_of_all_groups_that_are_mixed(grades, data) -> None:
    group = data.draw(st.integers(2, len(grades)))
    chosen = list(itertools.combinations(grades, group))
    counted = sum(len(set(each)) > 1 for each in chosen) / len(chosen)
    assert mixed_chance(grades, group) == pytest.approx(counted)


@given(GRADES, st.data())
def test_pass_at_k_is_the_share_of_all_groups_with_a_solved_sample(grades, data) -> None:
    k = data.draw(st.integers(1, len(grades)))
    chosen = list(itertools.combinations(grades, k))
    counted = sum(max(each) > 0 for each in chosen) / len(chosen)
    solved = sum(grade > 0 for grade in grades)
    assert pass_at(k, solved=solved, samples=len(grades)) == pytest.approx(counted)


def test_pass_at_k_agrees_with_a_figure_worked_by_hand() -> None:
    # 3 of 10 solved, 2 drawn: 1 - (7 * 6) / (10 * 9)
    assert pass_at(2, solved=3, samples=10) == pytest.approx(1 - 42 / 90)


def test_partial_credit_counts_as_a_grade_of_its_own() -> None:
    assert value(MixedGroups([[0.5, 0.5, 1.0, 1.0]]), 2) == pytest.approx(4 / 6)


def test_grades_that_all_differ_are_mixed_at_every_size() -> None:
    source = random.Random(1)
    groups = MixedGroups([[source.random() for _ in range(8)] for _ in range(40)])
    assert [value(groups, size) for size in SIZES] == [1.0] * len(SIZES)


@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=4, max_size=8), min_size=1, max_size=9
    )
)
def test_no_group_is_mixed_less_often_than_a_smaller_one(grades: list[list[float]]) -> None:
    found = [share.estimate for size in SIZES if (share := MixedGroups(grades).share(size))]
    assert len(found) == len(SIZES)
    for small, large in itertools.pairwise(found):
        assert small.value <= large.value + 1e-12
    for each in found:
        assert 0 <= each.low <= each.value <= each.high <= 1


def test_prompts_that_never_differed_in_half_of_the_data_stay_so_beyond_the_samples() -> None:
    groups = MixedGroups(HALF_DEAD)
    assert [value(groups, size) for size in (8, 9, 16)] == [0.5, 0.5, 0.5]


def test_prompts_that_are_all_alike_are_continued_by_their_rate() -> None:
    """Every prompt shows 1 of 8 in the share that the rate of 0.5 gives: 0.5 a further sample."""
    grades = [[float(bits >> g & 1) for g in range(4)] for bits in range(16)]
    groups = MixedGroups(grades)
    for size in (4, 5, 8, 16):
        assert value(groups, size) == pytest.approx(1 - 2 * 0.5**size, abs=1e-9)


def mixed_of_beta(a: float, b: float, group: int) -> float:
    def log_beta(x: float, y: float) -> float:
        return math.lgamma(x) + math.lgamma(y) - math.lgamma(x + y)

    none, whole = log_beta(a, b + group), log_beta(a + group, b)
    return 1 - math.exp(none - log_beta(a, b)) - math.exp(whole - log_beta(a, b))


POPULATIONS = {
    "beta": (lambda s: s.betavariate(0.6, 1.2), lambda g: mixed_of_beta(0.6, 1.2, g)),
    "all alike": (lambda _s: 0.1, lambda g: 1 - 0.9**g - 0.1**g),
    "half dead": (lambda s: 0.5 * (s.random() < 0.5), lambda g: 0.5 * (1 - 2 * 0.5**g)),
    "rare": (lambda s: 0.03 * (s.random() < 0.5), lambda g: 0.5 * (1 - 0.97**g - 0.03**g)),
}


@pytest.mark.parametrize("name", POPULATIONS)
def test_the_interval_beyond_the_samples_holds_the_true_share(name: str) -> None:
    rate, truth = POPULATIONS[name]
    source = random.Random(5)
    within, trials, off = 0, 60, 0.0
    for _ in range(trials):
        share = MixedGroups(draw([rate(source) for _ in range(64)], 8, source)).share(16)
        assert share is not None
        within += share.estimate.low <= truth(16) <= share.estimate.high
        off += (share.estimate.value - truth(16)) / trials
    assert within >= 0.95 * trials
    assert abs(off) < 0.06


def test_what_is_continued_says_so() -> None:
    groups = MixedGroups(HALF_DEAD)
    counted, continued = groups.share(8), groups.share(9)
    assert counted is not None
    assert continued is not None
    assert "counted" in counted.estimate.method
    assert "continued" in continued.estimate.method
    assert continued.estimate.high > counted.estimate.high


def test_two_or_three_samples_say_nothing_about_larger_groups() -> None:
    assert MixedGroups([[0.0, 1.0, 1.0]] * 20).share(4) is None


def test_a_faulty_sample_takes_its_own_prompt_away_and_no_other() -> None:
    groups = MixedGroups([*HALF_DEAD[1:], [0.0]])
    share = groups.share(8)
    assert share is not None
    assert share.chances_P is not None
    assert len(share.chances_P) == 63
    assert share.estimate.value == pytest.approx(32 / 63)
    assert groups.share(16) is not None
