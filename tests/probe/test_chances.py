"""Chances counted from samples, held against counting every subset."""

from __future__ import annotations

import itertools

import pytest
from bedrock_rft_sim.probe.chances import mixed_chance, pass_at
from hypothesis import given
from hypothesis import strategies as st

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
