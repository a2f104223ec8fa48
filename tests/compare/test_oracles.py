"""Our statistics against scipy's, which the runtime does without."""

from __future__ import annotations

import math

import numpy as np
import pytest
from bedrock_rft_sim.compare import student
from bedrock_rft_sim.compare.axis import Series
from bedrock_rft_sim.compare.decide import differences, holm
from bedrock_rft_sim.compare.ranks import improvement, kendall, spearman
from bedrock_rft_sim.compare.resample import blocks, resample
from bedrock_rft_sim.compare.summary import Summary, block_length, block_variance, summarise
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

DEGREES = (1.0, 1.3, 2.0, 4.0, 7.7, 30.0, 500.0)
scores = st.lists(st.integers(-5, 5), min_size=3, max_size=12)


def noiseless(gain: float, area: float = 0.0) -> Summary:
    return Summary(
        start=0.0,
        end=gain,
        mean=area,
        gain=gain,
        area=area,
        variance=0.0,
        noise=np.zeros((2, 2)),
        residuals=np.zeros(8),
        weights=np.zeros((2, 8)),
    )


@pytest.mark.parametrize("df", DEGREES)
@pytest.mark.parametrize("t", [-3.0, 0.0, 0.5, 2.0, 10.0, 100.0])
def test_student_s_tail_is_scipy_s(df: float, t: float) -> None:
    assert student.upper_tail(t, df) == pytest.approx(stats.t.sf(t, df), rel=1e-10)


@pytest.mark.parametrize("df", DEGREES)
@pytest.mark.parametrize("tail", [0.4, 0.05, 0.025, 0.003, 1e-6])
def test_student_s_critical_value_is_scipy_s(df: float, tail: float) -> None:
    assert student.critical(tail, df) == pytest.approx(stats.t.isf(tail, df), rel=1e-10)


def test_infinite_degrees_are_the_normal_law() -> None:
    assert student.upper_tail(1.5, math.inf) == pytest.approx(stats.norm.sf(1.5), rel=1e-12)
    assert student.critical(0.025, math.inf) == pytest.approx(stats.norm.isf(0.025), rel=1e-10)


@given(scores, st.randoms(use_true_random=False))
def test_rank_statistics_are_scipy_s(a: list[int], random: object) -> None:
    b = [value + random.randint(-3, 3) for value in a]  # type: ignore[attr-defined]
    if len(set(a)) > 1 and len(set(b)) > 1:
        x, y = np.array(a, float), np.array(b, float)
        assert float(spearman(x, y)) == pytest.approx(stats.spearmanr(a, b).statistic)
        assert kendall(a, b) == pytest.approx(stats.kendalltau(a, b).statistic)


@given(scores, scores)
def test_the_probability_of_improvement_is_mann_and_whitney_s(a: list[int], b: list[int]) -> None:
    expected = stats.mannwhitneyu(b, a).statistic / (len(a) * len(b))
    assert float(improvement(np.array(a, float), np.array(b, float))) == pytest.approx(expected)


# A thousandth apart at least: closer, scipy itself warns of lost precision.
gains = st.lists(st.integers(-1000, 1000), min_size=2, max_size=8, unique=True).map(
    lambda thousandths: [each / 1000 for each in thousandths]
)


@given(gains, gains)
def test_without_step_noise_the_difference_is_welch_s_t_test(
    a: list[float], b: list[float]
) -> None:
    gain, _ = differences(
        [noiseless(each) for each in a], [noiseless(each) for each in b], points=20, margin=0.1
    )
    expected = stats.ttest_ind(b, a, equal_var=False)
    assert gain.p_different == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
    interval = expected.confidence_interval(0.95)
    assert gain.interval == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-9)


@given(gains, gains)
def test_the_equivalence_test_is_two_one_sided_welch_tests(a: list[float], b: list[float]) -> None:
    gain, _ = differences(
        [noiseless(each) for each in a], [noiseless(each) for each in b], points=20, margin=0.1
    )
    shifted = (
        stats.ttest_ind(np.add(b, 0.1), a, equal_var=False, alternative="greater").pvalue,
        stats.ttest_ind(np.subtract(b, 0.1), a, equal_var=False, alternative="less").pvalue,
    )
    assert gain.p_same == pytest.approx(max(shifted), rel=1e-6, abs=1e-9)


def test_a_single_job_without_step_noise_is_held_against_the_runs_prediction_interval() -> None:
    a = [0.40, 0.44, 0.46, 0.41, 0.45]
    gain, _ = differences([noiseless(each) for each in a], [noiseless(0.43)], points=20, margin=0.1)
    spread = np.std(a, ddof=1) * math.sqrt(1 + 1 / len(a))
    gap = abs(0.43 - np.mean(a))
    assert gain.p_same == pytest.approx(stats.t.sf((0.1 - gap) / spread, len(a) - 1), rel=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_holm_s_adjustment_is_its_definition(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    count = len(p_values)
    order = sorted(range(count), key=lambda place: p_values[place])
    for rank, place in enumerate(order):
        steps = [(count - k) * p_values[order[k]] for k in range(rank + 1)]
        assert adjusted[place] == pytest.approx(min(1.0, max(steps)))


def test_the_bootstrap_over_seeds_is_scipy_s_where_the_steps_have_no_noise() -> None:
    x = np.arange(20.0)
    slopes_a = np.random.default_rng(2).uniform(0.010, 0.016, 12).tolist()
    slopes_b = np.random.default_rng(3).uniform(0.013, 0.020, 12).tolist()

    def group(slopes: list[float]) -> list[tuple[Series, Summary]]:
        series = [Series(x, 0.2 + slope * x) for slope in slopes]
        return [(each, summarise(each, top=1.0)) for each in series]  # type: ignore[misc]

    a, b = group(slopes_a), group(slopes_b)
    found = resample(a, b, np.linspace(0, 19, 10), count=20_000).gain
    expected = stats.bootstrap(
        ([summary.gain for _, summary in b], [summary.gain for _, summary in a]),
        lambda one, other, axis: np.mean(one, axis=axis) - np.mean(other, axis=axis),
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert found.low == pytest.approx(expected.low, abs=2e-3)
    assert found.high == pytest.approx(expected.high, abs=2e-3)


def test_the_closed_form_of_the_block_bootstrap_is_what_resampling_comes_to() -> None:
    rng = np.random.default_rng(1)
    noise = np.convolve(rng.normal(size=404), [1.0, 0.8, 0.6, 0.4, 0.2], mode="valid")
    noise -= noise.mean()
    length = block_length(len(noise))
    means = blocks(noise, length * 50, 20_000, rng).mean(axis=1)
    assert means.var() * length * 50 == pytest.approx(block_variance(noise), rel=0.05)
    assert block_variance(noise) > 2 * noise.var()  # neighbours that agree count for less
