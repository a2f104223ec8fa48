from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import length_budget


@pytest.fixture
def grade(graded, monkeypatch):
    monkeypatch.setenv("LENGTH_BUDGET_CHARS", "100")
    monkeypatch.setenv("LENGTH_BUDGET_BUFFER", "20")

    def run(answer, reference="72", **options):
        return graded(length_budget, answer, reference, **options)

    return run


def answer_of(length, number=72):
    return f"#### {number}".rjust(length, ".")


@pytest.mark.parametrize(
    ("length", "score"), [(7, 1.0), (80, 1.0), (85, 0.75), (90, 0.5), (100, 0.0), (5000, 0.0)]
)
def test_a_right_answer_loses_what_is_too_long(grade, length, score):
    earned, parts = grade(answer_of(length))
    assert earned == pytest.approx(score)
    assert parts == {
        "accuracy": 1.0,
        "length_penalty": pytest.approx(score - 1),
        "answer_found": 1.0,
        "length_chars": float(length),
    }


@pytest.mark.parametrize("length", [7, 85, 200])
def test_a_wrong_answer_earns_nothing_at_any_length(grade, length):
    assert grade(answer_of(length, number=73))[0] == 0.0


def test_unseen_padding_counts_as_length(grade):
    assert grade(" " * 200 + "#### 72")[0] == 0.0
    assert grade("\u200b" * 200 + "#### 72")[0] == 0.0


def test_the_defaults_leave_a_usual_solution_alone(graded):
    assert graded(length_budget, answer_of(1500), "72")[0] == 1.0
    assert graded(length_budget, answer_of(1750), "72")[0] == 0.5
    assert graded(length_budget, answer_of(10_000), "72")[0] == 0.0


@pytest.mark.parametrize("reference", ["72", 72, {"final_answer": 72}, {"text": "so\n#### 72"}])
def test_every_shape_of_reference_is_read_from_every_place(grade, reference):
    for profile in ("metadata", "root", "both"):
        assert grade("#### 72", reference, profile=profile)[0] == 1.0, profile


@pytest.mark.parametrize("value", ["0", "-5", "many", "nan", "1e9", "\u0661", ""])
@pytest.mark.parametrize("name", ["LENGTH_BUDGET_CHARS", "LENGTH_BUDGET_BUFFER"])
def test_a_setting_that_is_no_positive_number_is_an_error(grade, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"{name} is '{value}', expected a number above 0"):
        grade("#### 72")


def test_the_buffer_lies_within_the_budget(grade, monkeypatch):
    monkeypatch.setenv("LENGTH_BUDGET_BUFFER", "101")
    with pytest.raises(ValueError, match="LENGTH_BUDGET_BUFFER is '101'"):
        grade("#### 72")


@given(st.integers(0, 10**6), st.integers(1, 10**5), st.data())
def test_the_penalty_falls_from_0_to_minus_1_and_never_rises(length, budget, data):
    buffer = data.draw(st.integers(1, budget))
    penalty = length_budget.overlong(length, budget=budget, buffer=buffer)
    assert -1.0 <= penalty <= 0.0
    assert length_budget.overlong(length + 1, budget=budget, buffer=buffer) <= penalty
    assert (penalty == 0) == (length <= budget - buffer)
    assert (penalty == -1) == (length >= budget)
