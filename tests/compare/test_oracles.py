"""The comparison's tests and intervals against scipy's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bedrock_rft_sim.compare.axis import PlacedSeries
from bedrock_rft_sim.compare.decide import (
    Error,
    GroupMeasures,
    ShapeDifference,
    differences,
    shape_tests,
    side_of,
)
from bedrock_rft_sim.compare.resample import resample
from bedrock_rft_sim.compare.summary import CurveSummary, summarise


def gain_of(a: list[float], b: list[float]) -> ShapeDifference:
    """Return what is said of these gains where the steps have no noise."""

    def side(gains: list[float]) -> GroupMeasures:
        values = np.array([[each, 0.0, 0.0] for each in gains])
        return side_of(values, np.zeros((len(gains), 8)), np.zeros((len(gains), 2, 10)))

    found = shape_tests(side(a), side(b), points=20, margin=0.1)
    return differences(found, found.p_different, "different")[0]


# A thousandth apart at least: closer, scipy itself warns of lost precision.
gains = st.lists(st.integers(-1000, 1000), min_size=3, max_size=8, unique=True).map(
    lambda thousandths: [each / 1000 for each in thousandths]
)


@given(gains, gains)
def test_without_step_noise_the_difference_is_welch_s_t_test(
    a: list[float], b: list[float]
) -> None:
    gain = gain_of(a, b)
    expected = stats.ttest_ind(b, a, equal_var=False)
    assert gain.p_different == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
    interval = expected.confidence_interval(0.95)
    assert (gain.low, gain.high) == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-9)


@given(gains, gains)
def test_the_equivalence_test_is_two_one_sided_welch_tests(a: list[float], b: list[float]) -> None:
    gain = gain_of(a, b)
    shifted = (
        stats.ttest_ind(np.add(b, 0.1), a, equal_var=False, alternative="greater").pvalue,
        stats.ttest_ind(np.subtract(b, 0.1), a, equal_var=False, alternative="less").pvalue,
    )
    if max(shifted) < 0.5:  # else the steps, which have no noise, are sure of it
        assert gain.p_same == pytest.approx(max(shifted), rel=1e-6, abs=1e-9)
    else:
        assert gain.p_same >= 0.5


def test_a_single_job_without_step_noise_is_held_against_the_runs_prediction_interval() -> None:
    a = [0.40, 0.44, 0.46, 0.41, 0.45]
    gain = gain_of(a, [0.43])
    spread = np.std(a, ddof=1) * math.sqrt(1 + 1 / len(a))
    gap = abs(0.43 - np.mean(a))
    assert gain.p_same == pytest.approx(stats.t.sf((0.1 - gap) / spread, len(a) - 1), rel=1e-9)
    assert gain.p_different == pytest.approx(2 * stats.t.sf(gap / spread, len(a) - 1), rel=1e-9)


def test_with_one_run_a_side_seeds_are_taken_to_vary_by_what_is_plausible() -> None:
    gain = gain_of([0.1], [0.9])
    error = 0.3 * math.sqrt(2)
    assert gain.p_different == pytest.approx(2 * stats.norm.sf(0.8 / error), rel=1e-9)
    assert not gain.may_be_same


@given(st.floats(0, 3), st.floats(0.01, 2), st.floats(0.0, 2), st.sampled_from([1, 2, 4, 11]))
def test_the_tail_of_an_error_of_two_parts_is_where_its_reach_is(
    distance: float, estimated: float, known: float, degrees: int
) -> None:
    error = Error(*(np.array([each]) for each in (estimated, float(degrees), known)))
    tail = error.tail(np.array([distance]))
    reach = math.sqrt(
        stats.t.isf(tail[0], degrees) ** 2 * estimated + stats.norm.isf(tail[0]) ** 2 * known
    )
    assert reach == pytest.approx(distance, rel=1e-6, abs=1e-6)
    assert error.tail(np.array([-distance])) == pytest.approx(1 - tail)


def test_the_bootstrap_over_seeds_is_scipy_s_where_the_steps_have_no_noise() -> None:
    x = np.arange(20.0)
    slopes_a = np.random.default_rng(2).uniform(0.010, 0.016, 12).tolist()
    slopes_b = np.random.default_rng(3).uniform(0.013, 0.020, 12).tolist()

    def group(slopes: list[float]) -> list[CurveSummary]:
        found = [summarise(PlacedSeries(x, 0.2 + slope * x), top=1.0) for slope in slopes]
        return [each for each in found if each is not None]

    a, b = group(slopes_a), group(slopes_b)
    found = resample(a, b, np.linspace(0, 19, 10), count=20_000).gain
    expected = stats.bootstrap(
        ([summary.gain for summary in b], [summary.gain for summary in a]),
        lambda one, other, axis: np.mean(one, axis=axis) - np.mean(other, axis=axis),
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert found.low == pytest.approx(expected.low, abs=2e-3)
    assert found.high == pytest.approx(expected.high, abs=2e-3)
