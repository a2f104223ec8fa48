"""Rank correlations and their p-value by permutation, held to scipy and to counting by hand."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bedrock_rft_sim.stats.ranks import (
    EXACT_MOST,
    SHUFFLES,
    improvement,
    kendall,
    kendall_rows,
    permutation_p,
    spearman,
    spearman_rows,
)

SCORES = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(-1e300, 1e300))
PAIRS = st.lists(st.tuples(SCORES, SCORES), min_size=2, max_size=30)
FEW = st.integers(0, 6).map(float)
whole = st.lists(st.integers(-5, 5), min_size=3, max_size=12)


def test_equal_values_share_the_mean_of_their_ranks() -> None:
    # ranks 2, 3.5, 3.5, 1 against 1, 2, 3, 4
    assert spearman([10.0, 20.0, 20.0, 5.0], [1, 2, 3, 4]) == pytest.approx(-1.5 / math.sqrt(22.5))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2, 3], [10, 20, 30], 1.0),
        ([1, 2, 3], [3, 2, 1], -1.0),
        ([0, 0, 1, 1], [0, 1, 0, 1], 0.0),
        ([1, 2, 3, 4, 5], [5, 6, 7, 8, 7], 0.8207826816681233),
    ],
)
def test_known_correlations(first: list[float], second: list[float], expected: float) -> None:
    assert spearman(first, second) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0, 2.0]])
def test_what_never_varies_has_no_correlation(values: list[float]) -> None:
    assert spearman(values, values) is None
    assert spearman(values, [float(n) for n in range(len(values))]) is None
    assert kendall(values, values) is None
    assert permutation_p(values, values) is None


@given(PAIRS)
def test_it_is_scipy_s_spearmanr(pairs: list[tuple[float, float]]) -> None:
    first, second = (list(side) for side in zip(*pairs, strict=True))
    found = spearman(first, second)
    if found is None:
        assert len(set(first)) == 1 or len(set(second)) == 1
    else:
        assert math.isclose(found, stats.spearmanr(first, second).statistic, abs_tol=1e-12)


@given(PAIRS)
def test_it_is_symmetric_and_turns_its_sign_with_one_side(
    pairs: list[tuple[float, float]],
) -> None:
    first, second = (list(side) for side in zip(*pairs, strict=True))
    found = spearman(first, second)
    assert found == spearman(second, first)
    if found is not None:
        assert spearman([-value for value in first], second) == pytest.approx(-found, abs=1e-12)


@given(whole, st.randoms(use_true_random=False))
def test_kendall_s_tau_is_scipy_s(a: list[int], random: object) -> None:
    b = [value + random.randint(-3, 3) for value in a]  # type: ignore[attr-defined]
    if len(set(a)) > 1 and len(set(b)) > 1:
        assert kendall(a, b) == pytest.approx(stats.kendalltau(a, b).statistic)


def test_many_correlations_at_once_are_those_of_each_row() -> None:
    a, b = np.random.default_rng(0).integers(0, 5, size=(2, 20, 6)).astype(float)
    a[3] = 1.0  # never varies
    for rows, one in ((spearman_rows, spearman), (kendall_rows, kendall)):
        alone = [one(x, y) for x, y in zip(a, b, strict=True)]
        assert alone[3] is None
        expected = [math.nan if each is None else each for each in alone]
        assert rows(a, b) == pytest.approx(expected, nan_ok=True)


@given(whole, whole)
def test_the_probability_of_improvement_is_mann_and_whitney_s(a: list[int], b: list[int]) -> None:
    expected = stats.mannwhitneyu(b, a).statistic / (len(a) * len(b))
    assert float(improvement(np.array(a, float), np.array(b, float))) == pytest.approx(expected)


@given(st.lists(st.tuples(FEW, FEW), min_size=3, max_size=5))
def test_the_p_value_is_the_exact_permutation_test_of_scipy(pairs: list[tuple[float, float]]):
    x, y = zip(*pairs, strict=True)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert permutation_p(x, y) is None
        return
    expected = stats.permutation_test(
        (x,),
        lambda x: abs(round(stats.spearmanr(x, y).statistic, 9)),
        permutation_type="pairings",
        alternative="greater",
        n_resamples=1000,
    )
    assert permutation_p(x, y) == pytest.approx(expected.pvalue)


def test_a_perfect_order_of_five_is_as_rare_as_two_in_120():
    assert permutation_p(range(5), [n * n for n in range(5)]) == pytest.approx(2 / 120)


def test_at_five_values_no_more_than_one_in_twenty_orders_is_called_a_direction():
    orders = list(itertools.permutations(range(5)))
    found = [permutation_p(range(5), order) for order in orders]
    called = sum(p_value is not None and p_value < 0.05 for p_value in found)
    assert 0 < called / len(orders) <= 0.05


def test_many_values_are_shuffled_from_a_fixed_seed_near_the_t_approximation():
    chance = random.Random(1)
    x, y = range(20), [n + chance.gauss(0, 12) for n in range(20)]
    p_value = permutation_p(x, y)
    assert permutation_p(x, y) == p_value
    assert p_value == pytest.approx(stats.spearmanr(x, y).pvalue, abs=0.01)


def test_no_order_is_rarer_than_the_shuffles_can_show():
    x = range(EXACT_MOST + 4)
    assert permutation_p(x, x) == pytest.approx(1 / (SHUFFLES + 1))
