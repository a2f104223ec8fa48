"""The p-value of a rank correlation by permutation, held to scipy and to counting by hand."""

from __future__ import annotations

import random

import pytest
from bedrock_rft_sim.sweep.permutation import EXACT_MOST, SHUFFLES, rank_correlation
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

VALUES = st.integers(0, 6).map(float)


@given(st.lists(st.tuples(VALUES, VALUES), min_size=3, max_size=5))
def test_it_is_the_exact_permutation_test_of_scipy(pairs: list[tuple[float, float]]):
    x, y = zip(*pairs, strict=True)
    rho, p_value = rank_correlation(pairs)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert (rho, p_value) == (0, 1)
        return
    expected = stats.permutation_test(
        (x,),
        lambda x: abs(round(stats.spearmanr(x, y).statistic, 9)),
        permutation_type="pairings",
        alternative="greater",
        n_resamples=1000,
    )
    assert rho == pytest.approx(stats.spearmanr(x, y).statistic)
    assert p_value == pytest.approx(expected.pvalue)


def test_a_perfect_order_of_five_is_as_rare_as_two_in_120():
    rho, p_value = rank_correlation([(n, n * n) for n in range(5)])
    assert (rho, p_value) == (1, pytest.approx(2 / 120))


def test_at_five_settings_no_more_than_one_in_twenty_orders_is_called_a_direction():
    import itertools

    orders = list(itertools.permutations(range(5)))
    called = sum(rank_correlation(list(enumerate(order)))[1] < 0.05 for order in orders)
    assert 0 < called / len(orders) <= 0.05


def test_many_settings_are_shuffled_from_a_fixed_seed_near_the_t_approximation():
    chance = random.Random(1)
    pairs = [(n, n + chance.gauss(0, 12)) for n in range(20)]
    rho, p_value = rank_correlation(pairs)
    assert rank_correlation(pairs) == (rho, p_value)
    expected = stats.spearmanr(*zip(*pairs, strict=True))
    assert rho == pytest.approx(expected.statistic)
    assert p_value == pytest.approx(expected.pvalue, abs=0.01)


def test_no_order_is_rarer_than_the_shuffles_can_show():
    above = EXACT_MOST + 4
    assert rank_correlation([(n, n) for n in range(above)])[1] == pytest.approx(1 / (SHUFFLES + 1))
