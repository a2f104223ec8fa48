"""What the audit makes of a row: its value, replies that are wrong, and bad answers in its form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.grader.audit.audited_rows import (
    change_all,
    change_digit,
    draw_rows,
    final_value,
)
from bedrock_rft_sim.grader.audit.wrong_answers import PADDING_CHARS, WRONG_ANSWERS
from bedrock_rft_sim.grader.good_replies import known_replies


@dataclass
class Record:
    id: str
    reference_answer: Any
    messages: list = field(default_factory=lambda: [{"role": "user", "content": "How many?"}])
    extra: dict = field(default_factory=dict)


def subjects_of(*references, replies=None):
    rows = [Record(f"r{i}", reference) for i, reference in enumerate(references)]
    known = known_replies(rows, replies)
    return draw_rows(known, len(known), others=known, seed=0)


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("24 + 48 = 72\n#### 72", "72"),
        ("1,200.50", "1,200.50"),
        ("B", "B"),
        ({"final_answer": -5}, "-5"),
        ({"text": "so\n#### 3"}, "3"),
        ({"answer": {"text": "4"}}, "4"),
        ({"answer": ["a", "b"]}, None),
        ({"final_answer": True}, None),
        ({"label": "x"}, None),
        ("a text of more than forty characters has no value", None),
        ("two\nlines", None),
        (None, None),
    ],
)
def test_a_reference_boils_down_to_its_value(reference, value):
    assert final_value(reference) == value


numbers = st.from_regex(r"-?[0-9]{1,6}(\.[0-9]{1,4})?", fullmatch=True)


@given(numbers, st.integers(0, 5))
def test_a_changed_digit_is_another_number(value, turn):
    changed = change_digit(value, turn)
    assert float(changed) != float(value)
    assert len(changed) - len(value) in (0, 1)


@given(numbers)
def test_a_number_changed_in_all_digits_is_far_off(value):
    far, near = abs(float(change_all(value))), abs(float(value))
    assert far > 2 * near
    assert far - near >= 9


@given(st.text(alphabet="abcXYZ %-", max_size=8))
def test_what_has_no_digit_can_not_have_one_changed(value):
    assert change_digit(value, 0) is None
    assert change_all(value) is None


def test_a_value_is_replaced_where_it_stands_by_itself():
    (subject,) = subjects_of("172 - 100 = <<72>>72ml\n72.5 or 1,072 or 7.72 is not it\n#### 72")
    assert (
        subject.with_value("X") == "172 - 100 = <<X>>Xml\n72.5 or 1,072 or 7.72 is not it\n#### X"
    )
    assert subject.line_with("X") == "#### X"


def test_a_wrong_reply_of_letters_names_another_row_s_letter():
    one, two = sorted(subjects_of("B", "D"), key=lambda subject: subject.data_row.id)
    assert (one.wrong, two.wrong) == ("D", "B")
    assert one.other == "D"


@pytest.mark.parametrize(
    "references", [("72", "#### 72", "$72", "72 apples"), ("D", "(D)", "d.", "The answer is D")]
)
def test_another_row_with_the_same_answer_is_no_other_answer(references):
    assert {subject.other for subject in subjects_of(*references)} == {None}


@given(st.lists(numbers, min_size=2, max_size=6))
def test_no_bad_answer_is_the_good_reply(values):
    for subject in subjects_of(*values):
        for name, phrase in WRONG_ANSWERS.items():
            text = phrase(subject)
            assert text is None or text.strip() != subject.good.strip(), name


@given(
    st.lists(
        st.text(min_size=1, max_size=50).filter(str.strip)
        | st.dictionaries(st.sampled_from(["answer", "text", "label"]), st.text(max_size=9)),
        min_size=1,
        max_size=4,
    )
)
def test_any_reference_at_all_can_be_phrased_or_left_out(references):
    for subject in subjects_of(*references):
        for phrase in WRONG_ANSWERS.values():
            assert isinstance(phrase(subject), str | None)


def test_the_bad_answers_of_a_sum_read_as_meant():
    subjects = subjects_of("24 + 48 = 72\n#### 72", "#### 5")
    subject = next(each for each in subjects if each.value == "72")
    told = {name: phrase(subject) for name, phrase in WRONG_ANSWERS.items()}
    assert told["truncated"] == "24 + 48 = "
    assert told["wrong-value"] == "24 + 48 = 983\n#### 983"
    assert told["changed-digit"] in ("24 + 48 = 82\n#### 82", "24 + 48 = 73\n#### 73")
    assert told["other-answer"] == "#### 5"
    assert told["prompt-echo"] == "How many?"
    assert told["hidden-answer"] == (
        "At first I thought of 72, but that can not be right.\n#### 983"
    )
    lines = told["many-candidates"].splitlines()
    assert "#### 72" in lines[1:-1]
    assert {line[:5] for line in lines} == {"#### "}
    assert told["padding"].endswith("\n24 + 48 = 983\n#### 983")
    assert len(told["padding"]) > PADDING_CHARS
    assert told["nan-inf"] == "24 + 48 = nan\n#### nan"
    assert not told["unicode-digits"].isascii()
    assert told["injection"].startswith("24 + 48 = 983\n#### 983\n{")
