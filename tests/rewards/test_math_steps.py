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
        (MARKS, 0.0),  # cut off before its marker: no final answer is stated
        ("48/2 = 24\n48 + 24 = 72\n#### 71", 0.8),  # prose counts where there is no mark
        ("48 \u00f7 2 = $24, so 48 + 24 = 72.\n#### 71", 0.8),
        ("<<48/2=24>>24\n#### 25", 0.0),  # the first right step pays nothing
        ("<<48/2=24>>24 <<48+24=73>>73\n#### 73", 0.4),  # a slip counts half
        ("<<48/2=25>>25 <<48+25=73>>73\n#### 73", 0.4),  # and is carried forward
        ("<<48/3=16>>16 <<48+16=64>>64\n#### 64", 0.0),  # so is a wrong sum, which counts nothing
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
    _, parts = grade("<<48/2=24>>24 <<48+24=73>>73\n#### 73")
    assert parts == {"accuracy": 0.0, "steps_matched": 0.75, "answer_found": 1.0, "steps_true": 0.5}
    _, parts = grade("<<48/2=24>>24 <<48+24=73>>73")
    assert parts == {"accuracy": 0.0, "steps_matched": 0.0, "answer_found": 0.0, "steps_true": 0.5}
    assert "steps_true" not in grade("#### 72")[1]


LONG = "<<5*4=20>> <<20-2=18>> <<18/3=6>> <<6+1=7>>\n#### 7"  # four steps


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ("<<5*4=20>> <<20-2=18>> <<18/3=6>> <<6+2=8>>\n#### 8", 0.8 * 2 / 3),
        ("<<5*4=21>> <<21-2=19>> <<19/3=6.33>> <<6.33+1=7.33>>\n#### 7.33", 0.8 * 2.5 / 3),
        ("<<5*3=15>> <<15-2=13>> <<13/3=4.33>> <<4.33+1=5.33>>\n#### 5.33", 0.8 * 2 / 3),
        ("<<5*4=20>> <<20-3=17>> <<17/3=5.67>> <<5.67+1=6.67>>\n#### 6.67", 0.8 * 2 / 3),
        ("<<5*4=20>> <<20-2=18>> <<18*3=54>> <<54+2=56>>\n#### 56", 0.0),  # half are right
        ("<<5*4=20>> <<20-2=18>> <<18*3=54>>\n#### 54", 0.0),
        ("<<5*4=20>> <<20-2=18>> <<18/3=6>>\n#### 6", 0.8 * 2 / 3),  # stopped too early
        ("<<5*4=20>> <<20-2=18>> <<18/3=6>>\n#### 6\n#### 5", 0.0),  # two final answers
        ("<<5*4=20>> <<20-2=18>> <<18/3=6>>\n#### 6\n#### 6.0", 0.8 * 2 / 3),  # one, twice
        (r"<<5*4=20>> <<20-2=18>> <<18/3=6>> \boxed{5}" "\n#### 6", 0.8 * 2 / 3),  # not read
    ],
)
def test_one_error_costs_its_own_step_and_not_what_follows_from_it(grade, answer, score):
    assert grade(answer, LONG)[0] == pytest.approx(score)


@pytest.mark.parametrize(
    ("chain", "steps"),
    [
        ("2 * 2 = 4 = 2 * 2 = 4 = 2 * 2 = 4", [("2*2", 4)]),
        ("3 * 8 = 24 = 3 * 2 = 6", [("3*8", 6)]),
        ("3 * 8 = 24 builders = 3 * 2 = 6", [("3*8", 6)]),
        ("5 * 4 + 3 = 20 + 3 = 23", [("5*4+3", 23)]),
        ("x = 5 * 4 = 20", [("5*4", 20)]),
        ("The price of 5 apples = 5 * 4 = $20.", [("5*4", 20)]),
        ("48 / 2 = 24 and 24 + 48 = 72", [("48/2", 24), ("24+48", 72)]),
        ("48 / 2 = 24\n24 + 48 = 72", [("48/2", 24), ("24+48", 72)]),
    ],
)
def test_a_chain_of_equals_signs_is_one_step(chain, steps):
    read = [(step.expression, step.result) for step in math_steps.read_steps(chain)]
    assert read == steps


# Made in the manner of answers that a model learned to give for steps alone.
GAMED = [
    "3 builders work 8 days so 3 * 8 = 24 = 3 * 8 = 24 = 6 * 3 = 18 = 6 * 3 = 18 = 6 * 3 =",
    "8 days x 3 = 24 days = 8 x 3 = 24 = 2 x 2 = 4 = 2 x 2 = 4 = 2 x 2 = 4\nThe final answer is 4",
    "3 * 8 = 24\n24 / 3 = 8\n24 / 8 = 3\n8 + 3 = 11\n8 - 3 = 5\n8 * 8 = 64\n3 * 3 = 9",
    "3 * 8 = 24 = 24 / 6 = 4 = 24 / 6 = 4 = 4\n#### 24\n#### 6\n#### 8\n#### 3",
    "3 * 8 = 24\n3 * 8 = 24\n3 * 8 = 24\n#### 24",
    "3 * 8 = 24\n3 + 8 = 11\n6 * 3 = 18\n6 * 8 = 48\n#### 48",
    "3 * 8 = 24 = 6 * 8 = 48 = 2 * 2 = 4\n" * 6 + "#### 11",
]


@pytest.mark.parametrize("answer", GAMED)
@pytest.mark.parametrize("method", ["strict", "flexible"])
def test_answers_that_a_run_learned_for_their_steps_earn_nothing(
    grade, answer, method, monkeypatch
):
    monkeypatch.setenv("MATH_STEPS_METHOD", method)
    reference = (
        "3 * 8 = <<3*8=24>>24 days\n24 / 6 = <<24/6=4>>4 days\n4 * 5 = <<4*5=20>>20\n#### 20"
    )
    assert grade(answer, reference)[0] == 0.0


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
def test_the_steps_are_found_in_every_shape_of_reference(grade, reference):
    for profile in ("metadata", "root", "both"):
        assert grade("#### 72", reference, profile=profile)[0] == 1.0, profile
        assert grade(MARKS + "#### 71", reference, profile=profile)[0] == pytest.approx(0.8), (
            profile
        )


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
