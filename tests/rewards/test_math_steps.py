from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import math_steps

SOLUTION = "48/2 = <<48/2=24>>24\n48+24 = <<48+24=72>>72\n#### 72"
MARKS = "<<48/2=24>>24 <<48+24=72>>72\n"


@pytest.fixture
def grade(graded):
    def run(answer, reference=SOLUTION, **options):
        return graded(math_steps, answer, reference, **options)

    return run


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        (SOLUTION, 1.0),
        ("#### 72", 1.0),  # the steps are not looked at
        ("1 + 1 = 3\n#### $72.00", 1.0),
        (MARKS + "#### 73", 0.8),
        (MARKS, 0.8),  # cut off before its marker
        ("48/2 = 24\n48 + 24 = 72\n#### 71", 0.8),  # prose counts where there is no mark
        ("48 \u00f7 2 = $24, so 48 + 24 = 72.", 0.8),
        ("<<48/2=24>>24\n#### 25", 0.4),
        ("<<48/2=25>>25 <<48+25=73>>73\n#### 73", 0.0),  # true, but no step of the reference
        ("<<48/2=24>>24 <<48+24=73>>73\n#### 73", 0.4),
        ("<<47/2=24>>24\n#### 24", 0.0),  # the result is right, the arithmetic is not
        ("#### 73", 0.0),
        ("The answer is 72", 0.0),
        ("", 0.0),
    ],
)
def test_right_answers_earn_1_and_true_steps_of_the_reference_up_to_0_8(grade, answer, score):
    assert grade(answer)[0] == pytest.approx(score)


@pytest.mark.parametrize(
    "padding",
    [
        "1 + 1 = 2\n" * 5,
        "".join(f"{n} + 1 = {n + 1}\n" for n in range(5)),
        "".join(f"<<{n}+0={n}>>" for n in range(100)),
        "".join(f"<<{n - 1}+1={n}>>" for n in range(1, 100)),
        "<<24+0=24>><<24*1=24>><<72+0=72>><<72-0=72>>",
        "<<48/2=24>><<48/2=24>>" * 20 + "".join(f"<<{n}+1={n + 1}>>" for n in range(9)),
    ],
    ids=["one step repeated", "true", "idle marks", "all numbers", "idle results", "diluted"],
)
def test_padding_with_true_steps_buys_almost_nothing(grade, padding):
    assert grade(padding + "\n#### 1")[0] <= 0.08 + 1e-9
    assert grade(MARKS + padding + "\n#### 1")[0] <= grade(MARKS + "#### 1")[0]


def test_components_say_where_the_score_comes_from(grade):
    assert grade(SOLUTION)[1] == {
        "accuracy": 1.0,
        "steps_matched": 1.0,
        "answer_found": 1.0,
        "steps_true": 1.0,
    }
    _, parts = grade("<<48/2=24>>24 <<48+24=73>>73")
    assert parts == {"accuracy": 0.0, "steps_matched": 0.5, "answer_found": 0.0, "steps_true": 0.5}
    assert "steps_true" not in grade("#### 72")[1]


@pytest.mark.parametrize(
    "reference",
    [
        SOLUTION,
        {"text": SOLUTION},
        {"answer": SOLUTION},
        {"final_answer": "72", "steps": ["48 / 2 = 24", "48 + 24 = 72"]},
        {"final_answer": 72, "steps": "48 / 2 = 24\n48 + 24 = 72"},
    ],
    ids=str,
)
@pytest.mark.parametrize("profile", ["metadata", "root", "both"])
def test_the_steps_are_found_in_every_shape_of_reference(grade, reference, profile):
    assert grade("#### 72", reference, profile=profile)[0] == 1.0
    assert grade(MARKS + "#### 71", reference, profile=profile)[0] == pytest.approx(0.8)


@pytest.mark.parametrize("reference", ["72", 72, {"final_answer": "72"}, {"text": "#### 72"}])
def test_a_reference_without_steps_is_all_or_nothing(grade, reference):
    assert grade("#### 72", reference)[0] == 1.0
    assert grade(MARKS + "#### 71", reference)[0] == 0.0


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1+2*3", "7"),
        ("(1+2)*3", "9"),
        ("-4+2", "-2"),
        ("2*(-3)", "-6"),
        ("10-2-3", "5"),
        ("12/4/3", "1"),
        ("1.5*.5", "3/4"),
        ("((2))", "2"),
        ("2*-3", None),
        ("9**9", None),
        ("9**9**9", None),
        ("1/0", None),
        ("", None),
        ("()", None),
        ("1+", None),
        ("(1", None),
        ("1)", None),
        ("2(3)", None),
        ("1 2", None),
        ("__import__('os')", None),
        ("\u0661+\u0661", None),
    ],
)
def test_the_evaluator_knows_sums_and_nothing_else(expression, value):
    assert math_steps.evaluate(expression) == (None if value is None else Fraction(value))


sums = st.recursive(
    st.integers(0, 10**6).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(
        lambda part: f"({part[0]}{part[1]}{part[2]})"
    ),
    max_leaves=6,
)


@given(sums)
def test_the_evaluator_agrees_with_python(expression):
    try:
        expected = eval(math_steps.TOKEN.sub(_as_fraction, expression))
    except ZeroDivisionError:
        expected = None
    if len(expression) <= math_steps.EXPRESSION_CHARS:
        assert math_steps.evaluate(expression) == expected


def _as_fraction(match):
    return f"Fraction({match[0]})" if match[0].isdigit() else match[0]


@pytest.mark.parametrize(
    ("step", "true"),
    [
        ("<<10/3=3.33>>", True),
        ("<<10/3=3.3>>", True),
        ("<<10/3=3>>", False),
        ("<<10/3=3.34>>", False),
        ("<<20*.05=1>>", True),
        ("<<1,000*2=2,000>>", True),
        ("<<$5*3=$15>>", True),
        ("<<2*3=6.0>>", True),
        ("<<2*3=-6>>", False),
    ],
)
def test_a_rounded_result_is_true_to_its_own_decimals(step, true):
    (read,) = math_steps.read_steps(step)
    assert math_steps.checks_out(read) is true


@pytest.mark.parametrize(
    "text", ["<<72=72>>", "<<=72>>", "<<1+1=>>", "x = 3", "a + b = 4", "<<1+1=", "= 3", "5 = 5"]
)
def test_what_is_no_arithmetic_is_no_step(text):
    assert math_steps.read_steps(text) == ()


@given(st.integers(-(10**9), 10**9), st.sampled_from(["{}", "{}.", "{}.00", "{:,}", "  {} eggs"]))
def test_a_right_final_number_earns_1_in_any_phrasing(number, phrasing):
    turn = {"role": "assistant", "content": "so\n#### " + phrasing.format(number)}
    sample = {"id": "a", "messages": [turn], "reference_answer": str(number)}
    assert math_steps.grade(sample)["aggregate_reward_score"] == 1.0


@given(st.text(alphabet="0123456789+-*/()=<>#$,. x\n", max_size=200))
def test_every_score_lies_in_its_range(text):
    turn = {"role": "assistant", "content": text}
    sample = {"id": "a", "messages": [turn], "reference_answer": SOLUTION}
    score = math_steps.grade(sample)["aggregate_reward_score"]
    assert score == 1.0 or 0.0 <= score <= 0.8
