from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import numeric_tolerance


@pytest.fixture
def grade(graded):
    def run(answer, reference, **options):
        return graded(numeric_tolerance, answer, reference, **options)

    return run


@pytest.mark.parametrize(
    ("reference", "statement", "score", "repaired"),
    [
        ("12.4%", "12.4%", 1.0, 0),
        ("12.4%", "12.40 percent", 1.0, 0),
        ("12.4%", "0.124", 1.0, 0),  # 5% is 0.05: no repair
        ("12.4%", "12.38%", 1.0, 0),  # rounds to the reference
        ("12.4%", "12.46%", 0.95, 0),
        ("12.4%", "12.5%", 0.95, 0),
        ("12.4%", "12.6%", 0.0, 0),
        ("12.4%", "12.4", 0.95, 1),
        ("12.4%", "12.5", 0.95, 1),
        ("12.4%", "1240", 0.0, 0),
        ("12.4%", "-12.4%", 0.0, 0),
        ("12.4", "12.4%", 0.95, 1),
        ("0.124", "12.4%", 1.0, 0),
        ("0.124", "12.4", 0.0, 0),  # nobody wrote a percent sign
        ("72", "72", 1.0, 0),
        ("72", "72.00", 1.0, 0),
        ("72", "$72", 1.0, 0),
        ("72", "72.4", 0.95, 0),  # a whole number is not a rounded one
        ("72", "73", 0.0, 0),
        ("1,200,000", "1.2 million", 1.0, 0),
        ("1.2 million", "1200000", 1.0, 0),
        ("1.2 million", "1.2", 0.95, 1),
        ("1.2 million", "1,200 thousand", 1.0, 0),
        ("1.2 million", "1.2 billion", 0.0, 0),
        ("1.2", "1.2mn", 0.95, 1),
        ("3.5k", "3500", 1.0, 0),
        ("-5", "\u22125", 1.0, 0),
        ("-5", "$-5", 1.0, 0),
        ("-5", "5", 0.0, 0),
        ("0", "0", 1.0, 0),
        ("0", "0.001", 0.0, 0),
        ("15 dollars", "15 USD", 1.0, 0),
        ("1.5e6", "1500000", 1.0, 0),
        ("yes", "Yes", 1.0, 0),
        ("yes", "no", 0.0, 0),
        ("yes", "1", 0.0, 0),
        ("1", "yes", 0.0, 0),
    ],
)
def test_exact_rounded_near_and_repaired(grade, reference, statement, score, repaired):
    earned, parts = grade(f"So\nANSWER: {statement}", reference)
    assert earned == score
    assert parts["accuracy"] == score
    assert parts["repaired"] == repaired


@pytest.mark.parametrize(
    "answer",
    [
        "ANSWER: 72",
        "answer: [72]",
        "ANSWER: (72).",
        "ANSWER: **72**",
        "#### 72",
        "ANSWER: 71\nNo:\nANSWER: 72",
        "The final answer:\n72",
        "ANSWER: 72 million tonnes"[:10],
    ],
)
def test_the_last_marked_line_is_the_answer(grade, answer):
    assert grade(answer, "72")[0] == 1.0


@pytest.mark.parametrize(
    "answer",
    [
        "72",
        "It is 72.",
        "ANSWER: 71 or 72",
        "ANSWER: 71, 72",
        "ANSWER: 72 73 74",
        "ANSWER: 72 (in 2019)",
        "ANSWER: seventy-two",
        "ANSWER: nan",
        "ANSWER: inf",
        "ANSWER: 72**1",
        "ANSWER: 9**9**9",
        "ANSWER: 1e999",
        "ANSWER: \u0667\u0662",
        "ANSWER: \uff17\uff12",
        "ANSWER: " + "7" * 50,
        "ANSWER: 72" + " " * 200,
        "AN\u017fWER: 72",
        "ANSWER:",
        "",
    ],
)
def test_a_line_that_is_not_one_number_is_not_read(grade, answer):
    earned, parts = grade(answer, "72")
    assert earned == 0.0
    assert parts["answer_found"] == 0.0
    assert "relative_error" not in parts


@pytest.mark.parametrize(
    "reference",
    [
        72,
        72.0,
        "72",
        "$72.00",
        "so\nANSWER: 72",
        "#### 72",
        {"answer": 72},
        {"answer": "72"},
        {"text": "72"},
        {"final_answer": "72"},
        {"ground_truth": 72},
    ],
    ids=str,
)
def test_every_shape_of_reference_is_read_from_every_place(grade, reference):
    for profile in ("metadata", "root", "both"):
        assert grade("ANSWER: 72", reference, profile=profile)[0] == 1.0, profile
        assert grade("ANSWER: 74", reference, profile=profile)[0] == 0.0, profile


def test_the_error_is_told_and_bounded(grade):
    assert grade("ANSWER: 75", "100")[1]["relative_error"] == 0.25
    assert grade("ANSWER: 100", "100")[1]["relative_error"] == 0.0
    assert grade("ANSWER: 1e99", "1e-99")[1]["relative_error"] == 1000.0
    assert "relative_error" not in grade("ANSWER: 1", "0")[1]


def test_the_environment_sets_tolerance_and_repair(grade, monkeypatch):
    monkeypatch.setenv("NUMERIC_TOLERANCE", "0")
    assert grade("ANSWER: 72.4", "72")[0] == 0.0
    monkeypatch.setenv("NUMERIC_TOLERANCE", "10%")
    assert grade("ANSWER: 79", "72")[0] == 0.95
    monkeypatch.setenv("NUMERIC_REPAIR", "off")
    assert grade("ANSWER: 12.4", "12.4%")[0] == 0.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NUMERIC_TOLERANCE", "0.6"),
        ("NUMERIC_TOLERANCE", "-0.1"),
        ("NUMERIC_TOLERANCE", "nan"),
        ("NUMERIC_TOLERANCE", "1/2"),
        ("NUMERIC_REPAIR", "maybe"),
    ],
)
def test_a_setting_out_of_range_is_an_error_and_not_a_score(grade, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"{name} is '{value}', expected"):
        grade("ANSWER: 72", "72")


FORMS = ["{}", "{:,}", "${}", "{}.0", "[{}]", "{} units", "{}e0", "**{}**"]


@given(st.integers(-(10**12), 10**12), st.sampled_from(FORMS), st.sampled_from(FORMS[:4]))
def test_a_right_number_earns_1_however_it_is_written(number, written, reference):
    turn = {"role": "assistant", "content": "ANSWER: " + written.format(number)}
    sample = {"id": "a", "messages": [turn], "reference_answer": reference.format(number)}
    (result,) = numeric_tolerance.lambda_handler([sample], None)
    assert result["aggregate_reward_score"] == 1.0


@given(st.integers(1, 10**9), st.integers(-100, 100))
def test_nearness_is_relative_and_symmetric_about_the_reference(reference, permille):
    stated = Fraction(reference) * (1000 + permille) / 1000
    read = numeric_tolerance.Quantity(stated, None, 3)
    wanted = numeric_tolerance.Quantity(Fraction(reference), None, 0)
    settings = numeric_tolerance.Settings(Fraction(1, 100), repair=True)
    score = numeric_tolerance.compare(read, wanted, settings=settings).score
    assert score == (1.0 if permille == 0 else 0.95 if abs(permille) <= 10 else 0.0)


@given(st.text(max_size=150))
def test_no_text_breaks_the_reading(text):
    numeric_tolerance.read_answer("ANSWER: " + text)
