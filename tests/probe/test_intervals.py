"""Intervals, held against scipy and against numbers that are known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.probe.intervals import mean_over_prompts, share_of_prompts, wilson


@given(st.integers(1, 400), st.data())
def test_wilson_s_interval_is_scipy_s(of, data) -> None:
    from scipy.stats import binomtest

    count = data.draw(st.integers(0, of))
    theirs = binomtest(count, of).proportion_ci(method="wilson")
    assert wilson(count, of) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_a_mean_over_prompts_is_as_unsure_as_the_central_limit_says() -> None:
    values = [0.0, 1.0] * 50
    found = mean_over_prompts(values, is_share=True)
    assert found is not None
    assert found.value == 0.5
    assert found.low == pytest.approx(0.5 - 1.96 * 0.05, abs=0.02)
    assert found.high == pytest.approx(0.5 + 1.96 * 0.05, abs=0.02)


@pytest.mark.parametrize(("value", "side"), [(0.0, "high"), (1.0, "low")])
def test_prompts_that_all_agree_leave_room_for_one_that_does_not(value, side) -> None:
    found = mean_over_prompts([value] * 20, is_share=True)
    assert found is not None
    assert "Wilson" in found.method
    assert abs(getattr(found, side) - value) == pytest.approx(0.161, abs=0.001)


def test_no_prompt_has_no_mean() -> None:
    assert mean_over_prompts([], is_share=True) is None
    assert share_of_prompts(0, 0) is None
