from __future__ import annotations

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import gsm8k, math_steps


def sample(answer, *, role="assistant", **places):
    messages = [{"role": "user", "content": "How many?"}, {"role": role, "content": answer}]
    return {"id": "s1", "messages": messages, **places}


def score(answer, **places):
    (result,) = gsm8k.lambda_handler([sample(answer, **places)], None)
    assert result["id"] == "s1"
    return result["aggregate_reward_score"]


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("#### 72", "72"),
        ("48/2 = 24\n48+24 = 72\n#### 72", "72"),
        ("#### 1\nno:\n#### 2", "2"),
        ("#### 1,234,567", "1234567"),
        ("#### $72", "72"),
        ("#### -$5", "-5"),
        ("#### $-5", "-5"),
        ("#### \u22125", "-5"),
        ("#### +5", "5"),
        ("#### 72.", "72"),
        ("#### 72.0", "72"),
        ("#### 072", "72"),
        ("#### .5", "1/2"),
        ("#### 1/2", "1/2"),
        ("#### -3/4", "-3/4"),
        ("#### 72%", "72"),
        ("#### 72 dollars", "72"),
        ("####72", "72"),
        ("#### 72,", "72"),
        ("The answer is 72", None),
        ("#### seventy-two", None),
        ("#### ", None),
        ("", None),
        ("#### 3.14.15", None),
        ("#### 1/0", None),
        ("#### \u0667\u0662", None),
        ("#### nan", None),
        ("#### 72" + " " * 300, None),
    ],
)
def test_the_strict_reading_is_the_last_marked_number(answer, number):
    assert gsm8k.read_answer(answer) == (None if number is None else Fraction(number))


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("The answer is 72", "72"),
        ("The answer is 72.", "72"),
        ("It costs $1,250.50.", "1250.5"),
        ("First 3, then 4", "4"),
        ("5-3", "3"),
        ("so x = -3", "-3"),
        ("It is 3/4", "3/4"),
        ("#### 9", "9"),
        ("none at all", None),
        ("", None),
    ],
)
def test_the_flexible_reading_is_the_last_number(answer, number):
    read = gsm8k.read_answer(answer, method="flexible")
    assert read == (None if number is None else Fraction(number))


def test_the_flexible_reading_is_chosen_by_the_environment(monkeypatch):
    places = {"metadata": {"reference_answer": "72"}}
    assert score("It is 72", **places) == 0.0
    monkeypatch.setenv("GSM8K_METHOD", "flexible")
    assert score("It is 72", **places) == 1.0


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("GSM8K_METHOD", "lenient", "strict or flexible"), ("GSM8K_BOXED", "yes", "on or off")],
)
def test_an_unknown_setting_is_an_error_and_not_a_score(name, value, expected, monkeypatch):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"{name} is '{value}', expected {expected}"):
        score("#### 72", reference_answer="72")


# As the best-practices text has it: the thought in tags, and the number in a box.
IDEAL = (
    "<|begin_of_thought|>\nShe works 45 hours; the first 40 pay 18 an hour: 40 * 18 = 720. The "
    "other 5 pay 54: 5 * 54 = 270.\n<|end_of_thought|>\n<|begin_of_solution|>\n"
    r"She earns 720 + 270 = \boxed{990} dollars in 1 week."
    "\n<|end_of_solution|>"
)


@pytest.mark.parametrize("reward", [gsm8k, math_steps])
@pytest.mark.parametrize("answer", [IDEAL, IDEAL.partition(" dollars")[0], r"$\boxed{\$990.00}$"])
def test_an_answer_in_a_box_earns_full_score_in_the_flexible_reading(reward, answer, monkeypatch):
    def score_of(answer):
        (result,) = reward.lambda_handler([sample(answer, reference_answer="990")], None)
        return result["aggregate_reward_score"]

    name = reward.__name__.rpartition(".")[2].upper()
    assert score_of(answer) == 0.0
    monkeypatch.setenv(f"{name}_BOXED", "on")
    assert score_of(answer) == 1.0
    monkeypatch.delenv(f"{name}_BOXED")
    monkeypatch.setenv(f"{name}_METHOD", "flexible")
    assert score_of(answer) == 1.0
    monkeypatch.setenv(f"{name}_BOXED", "off")
    assert score_of(IDEAL) == 0.0  # the last number is the 1 of "1 week"


@pytest.mark.parametrize(
    ("answer", "strict", "flexible"),
    [
        (r"\boxed{72}", 72, 72),
        (r"\boxed{72} or 73", 72, 72),
        (r"\boxed{72} no:\n#### 73", 73, 73),
        ("#### 73\n" r"no: \boxed{72} of 80", 72, 72),
        (r"\boxed{71} \boxed{72} of 80", 72, 72),
        ("#### 73\nor 72", 73, 72),
        (r"\boxed{x} 72", None, 72),
        (r"\boxed{-1{,}250.50}", Fraction("-1250.5"), Fraction("-1250.5")),
    ],
)
def test_the_last_of_markers_and_boxes_counts_where_boxes_are_read(answer, strict, flexible):
    assert gsm8k.read_answer(answer, boxed=True) == strict
    assert gsm8k.read_answer(answer, method="flexible", boxed=True) == flexible


@pytest.mark.parametrize(
    "reference",
    [
        "48/2 = <<48/2=24>>24\n#### 72",
        "72",
        "$72.00",
        72,
        72.0,
        {"final_answer": "72", "steps": ["48/2 = 24", "48+24 = 72"]},
        {"final_answer": 72},
        {"text": "He has 24 + 48.\n#### 72"},
        {"text": "72"},
        {"answer": "72"},
        {"ground_truth": "72"},
    ],
    ids=str,
)
def test_every_shape_of_reference_is_read_from_every_place(reference):
    for key in ("reference_answer", "ground_truth"):
        held = {key: reference}
        for places in ({"metadata": held}, held, {**held, "metadata": held}):
            assert score("#### 72", **places) == 1.0, places
            assert score("#### 73", **places) == 0.0, places


@pytest.mark.parametrize("role", ["assistant", "nova_assistant"])
def test_both_names_of_the_assistant_are_understood(role):
    assert score("#### 72", role=role, reference_answer="72") == 1.0


def test_a_content_list_is_joined():
    assert score([{"text": "so\n"}, {"text": "#### 72"}], reference_answer="72") == 1.0


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({}, "no reference: expected reference_answer or ground_truth in metadata or at the root"),
        ({"metadata": None}, "no reference"),
        ({"reference_answer": "seventy-two"}, "unreadable reference 'seventy-two'"),
        ({"reference_answer": {"label": "72"}}, "unreadable reference"),
        ({"reference_answer": True}, "unreadable reference 'True'"),
        ({"reference_answer": ["72"]}, "unreadable reference"),
        ({"reference_answer": ""}, "unreadable reference ''"),
    ],
)
def test_a_missing_or_unreadable_reference_raises_and_names_the_sample(places, message):
    with pytest.raises(ValueError, match="sample 's1'") as caught:
        score("#### 72", **places)
    assert message in str(caught.value)


def test_a_conversation_without_an_answer_raises():
    with pytest.raises(ValueError, match="the last message is not one of assistant"):
        score("#### 72", role="user", reference_answer="72")


def test_an_event_that_is_no_list_raises():
    with pytest.raises(TypeError, match="expected a list of samples, found dict"):
        gsm8k.lambda_handler({"trajectories": []}, None)


def test_components_tell_a_wrong_answer_from_an_unreadable_one():
    def components(answer):
        (result,) = gsm8k.lambda_handler([sample(answer, reference_answer="72")], None)
        return {part["name"]: (part["value"], part["type"]) for part in result["metrics_list"]}

    assert components("#### 72") == {"accuracy": (1.0, "Reward"), "answer_found": (1.0, "Metric")}
    assert components("#### 71") == {"accuracy": (0.0, "Reward"), "answer_found": (1.0, "Metric")}
    assert components("dunno") == {"accuracy": (0.0, "Reward"), "answer_found": (0.0, "Metric")}


@pytest.mark.parametrize("filler", ["9", "1,", "#### ", "1.", "-", "$", "1/", "#### 1/", "\u2212"])
def test_ten_thousand_characters_of_anything_are_read_without_trouble(filler):
    text = filler * (10_000 // len(filler))
    for method in gsm8k.METHODS:
        gsm8k.read_answer(text, method=method, boxed=method == "flexible")
    assert gsm8k.read_answer(text + "\n#### 7") == 7


@given(st.integers(-(10**12), 10**12), st.data())
def test_one_number_written_in_many_ways_is_one_number(number, data):
    sign = data.draw(st.sampled_from(["-", "\u2212", "-$", "$-"] if number < 0 else ["", "+", "$"]))
    digits = data.draw(st.sampled_from([f"{abs(number)}", f"{abs(number):,}", f"00{abs(number)}"]))
    tail = data.draw(st.sampled_from(["", ".", ".0", ".00", "%", "/1"]))
    assert gsm8k.read_answer(f"so\n#### {sign}{digits}{tail}") == number


@given(st.decimals(-1000, 1000, places=3))
def test_decimals_are_compared_by_value(number):
    assert gsm8k.to_number(f"{number:f}") == Fraction(number)
    assert gsm8k.to_number(f"{number:f}000") == Fraction(number)


@given(st.text(max_size=400))
def test_no_text_breaks_the_reading(text):
    for method in gsm8k.METHODS:
        gsm8k.read_answer(text, method=method)


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_real_reference_earns_full_score_and_one_more_earns_none(split, gsm8k_folder):
    for line in (gsm8k_folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines():
        solution = json.loads(line)["answer"]
        wrong = gsm8k.read_reference(solution) + 1
        assert score(solution, reference_answer=solution) == 1.0
        assert score(f"#### {wrong}", reference_answer=solution) == 0.0
