from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.grader import Grade
from bedrock_rft_sim.grader.fault_search import Broken
from bedrock_rft_sim.grader.grade.summary import Scores, histogram
from bedrock_rft_sim.grader.samples import Component

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def scored(*values: float) -> Scores:
    scores = Scores("r")
    scores.add([Grade(str(n), value) for n, value in enumerate(values)])
    return scores


def test_mean_spread_and_range_are_those_of_the_scores() -> None:
    found = scored(0.0, 0.5, 1.0, 1.0).as_json()
    assert found["mean"] == 0.625
    assert found["sd"] == pytest.approx(statistics.stdev([0.0, 0.5, 1.0, 1.0]))
    assert (found["min"], found["max"], found["scored"], found["answers"]) == (0.0, 1.0, 4, 4)


def test_nothing_scored_is_unknown_and_not_zero() -> None:
    found = Scores("r").as_json()
    assert [found[key] for key in ("mean", "sd", "min", "max")] == [None] * 4
    assert scored(1.0).as_json()["sd"] is None


def test_a_broken_answer_has_no_score_and_is_counted_with_its_first_ids() -> None:
    scores = Scores("r")
    values = scores.add([Grade("a", 1.0), *(Broken(i, "raises", i, True) for i in "bcdef")])
    assert values == [1.0, None, None, None, None, None]
    found = scores.as_json()
    assert found["mean"] == 1.0
    assert found["errors"] == [
        {"kind": "raises", "count": 5, "first_ids": ["b", "c", "d"], "message": "b"}
    ]
    assert scores.failed == 5


def test_components_are_averaged_over_the_answers_that_have_them() -> None:
    scores = Scores("r")
    scores.add([Grade("a", 1.0, (Component("steps", 0.5, "Reward"),)), Grade("b", 0.0)])
    scores.add([Grade("c", 1.0, (Component("steps", 1.0, "Reward"),))])
    assert scores.as_json()["components"] == {"steps": {"mean": 0.75, "count": 2}}


def test_few_different_scores_are_counted_one_by_one() -> None:
    assert histogram([1.0, 0.0, 1.0]) == [
        {"value": 0.0, "count": 1},
        {"value": 1.0, "count": 2},
    ]


def test_many_different_scores_are_counted_in_ten_bins_the_last_with_its_end() -> None:
    bins = histogram([n / 20 for n in range(21)])
    assert [entry["count"] for entry in bins] == [2, 2, 2, 2, 2, 2, 2, 2, 2, 3]
    assert (bins[0]["from"], bins[-1]["to"]) == (0.0, 1.0)


@given(st.lists(FINITE))
def test_every_score_is_in_the_histogram_once_however_large(values: list[float]) -> None:
    assert sum(entry["count"] for entry in histogram(values)) == len(values)
