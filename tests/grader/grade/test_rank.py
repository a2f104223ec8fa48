from __future__ import annotations

import math

import pytest
from bedrock_rft_sim.grader.grade.rank import ranks, spearman
from hypothesis import given
from hypothesis import strategies as st

SCORES = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(-1e300, 1e300))
PAIRS = st.lists(st.tuples(SCORES, SCORES), min_size=2, max_size=30)


def test_equal_values_share_the_mean_of_their_ranks() -> None:
    assert ranks([10.0, 20.0, 20.0, 5.0]) == [2.0, 3.5, 3.5, 1.0]


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


@given(PAIRS)
def test_it_is_scipy_s_spearmanr(pairs: list[tuple[float, float]]) -> None:
    stats = pytest.importorskip("scipy.stats")
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
