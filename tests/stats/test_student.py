"""Student's t and Holm's adjustment, held to scipy's distributions and to the definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bedrock_rft_sim.stats import student

DEGREES = (1.0, 1.3, 2.0, 4.0, 7.7, 30.0, 500.0)


@pytest.mark.parametrize("df", DEGREES)
def test_student_s_tail_is_scipy_s(df: float) -> None:
    for t in (-3.0, 0.0, 0.5, 2.0, 10.0, 100.0):
        assert student.upper_tail(t, df) == pytest.approx(stats.t.sf(t, df), rel=1e-10), t


@pytest.mark.parametrize("df", DEGREES)
def test_student_s_critical_value_is_scipy_s(df: float) -> None:
    for tail in (0.4, 0.05, 0.025, 0.003, 1e-6):
        assert student.critical(tail, df) == pytest.approx(stats.t.isf(tail, df), rel=1e-10), tail


def test_infinite_degrees_are_the_normal_law() -> None:
    assert student.upper_tail(1.5, math.inf) == pytest.approx(stats.norm.sf(1.5), rel=1e-12)
    assert student.critical(0.025, math.inf) == pytest.approx(stats.norm.isf(0.025), rel=1e-10)


def test_the_reach_of_a_mean_is_student_s_interval() -> None:
    values = [3.0, 5.0, 4.0, 9.0]
    low, high = stats.t.interval(0.95, 3, loc=5.25, scale=stats.sem(values))
    assert student.reach_of_mean(values) == pytest.approx((high - low) / 2)


@pytest.mark.parametrize("values", [[], [7.0]])
def test_what_shows_no_spread_has_no_reach(values: list[float]) -> None:
    assert student.reach_of_mean(values) is None


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 4)), min_size=1, max_size=10))
def test_holm_s_adjustment_is_its_definition(given: list[tuple[float, int]]) -> None:
    p_values, weights = (np.array(each, float) for each in zip(*given, strict=True))
    adjusted = student.holm(p_values, weights)
    order = sorted(range(len(given)), key=lambda place: p_values[place] / weights[place])
    for rank, place in enumerate(order):
        steps = [
            weights[order[k:]].sum() * p_values[order[k]] / weights[order[k]]
            for k in range(rank + 1)
        ]
        assert adjusted[place] == pytest.approx(min(1.0, max(steps)))


def test_many_comparisons_are_adjusted_at_once_as_each_alone() -> None:
    p_values = np.random.default_rng(0).uniform(size=(20, 6))
    weights = np.array([3.0, 3.0, 1.0, 1.0, 1.0, 1.0])
    alone = [student.holm(row, weights) for row in p_values]
    assert student.holm(p_values, weights) == pytest.approx(np.array(alone))
