"""Chances counted from samples, held against counting every subset."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.probe.chances import BetaBinomial, fit, mixed_chance, pass_at

GRADES = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=8)


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


@pytest.mark.parametrize("group", [2, 4, 16])
def test_without_correlation_the_model_is_the_binomial(group) -> None:
    p = 0.3
    expected = 1 - p**group - (1 - p) ** group
    assert BetaBinomial(p, 0.0).mixed_chance(group) == pytest.approx(expected)


def test_the_model_agrees_with_the_beta_function() -> None:
    alpha, beta, group = 0.6, 1.4, 5
    model = BetaBinomial(alpha / (alpha + beta), 1 / (1 + alpha + beta))

    def log_beta(a, b):
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)

    whole = log_beta(alpha, beta)
    all_solved = math.exp(log_beta(alpha + group, beta) - whole)
    none_solved = math.exp(log_beta(alpha, beta + group) - whole)
    assert model.mixed_chance(group) == pytest.approx(1 - all_solved - none_solved)


def test_prompts_that_are_each_always_or_never_solved_are_hardly_ever_mixed() -> None:
    assert fit([8, 0, 8, 0], 8).mixed_chance(16) < 0.01


def test_prompts_that_are_all_alike_have_no_correlation() -> None:
    assert fit([4, 4, 4, 4], 8) == BetaBinomial(0.5, 0.0)


@pytest.mark.parametrize("solved", [[0, 0, 0], [8, 8, 8]])
def test_prompts_without_any_spread_are_never_mixed(solved) -> None:
    assert fit(solved, 8).mixed_chance(16) == 0.0


@given(st.lists(st.integers(0, 8), min_size=1, max_size=12))
def test_a_fit_at_the_size_of_the_pairs_gives_the_counted_share(solved) -> None:
    """At a group of two the model's moments are those that were counted."""
    counted = sum(mixed_chance([1.0] * s + [0.0] * (8 - s), 2) for s in solved) / len(solved)
    model = fit(solved, 8)
    if 0.0 < model.correlation < 0.999:
        assert model.mixed_chance(2) == pytest.approx(counted)
