from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import multiple_choice


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("#### B", "B"),
        ("#### b", "B"),
        ("####B", "B"),
        ("ANSWER: (C)", "C"),
        ("Answer: B. Paris", "B"),
        ("The answer is (d).", "D"),
        ("The answer is **B**.", "B"),
        ("The answer is B because it is.", "B"),
        ("The answer is B, I think", "B"),
        ("The correct answer is: C", "C"),
        ("\\boxed{B}", "B"),
        ("$\\boxed{B}$.", "B"),
        ("B", "B"),
        ("b)", "B"),
        ("(B)", "B"),
        ("B) the choice's text", "B"),
        ("The answer is A. No, wait: the answer is B.", "B"),
        ("#### B\nThe answer is clear.", "B"),
        ('{"answer": "B"}', None),
        ("The answer is a dog", None),
        ("The answer is A dog", None),
        ("answer is b", None),
        ("A dog", None),
        ("A or B", None),
        ("A/B", None),
        ("A B C D", None),
        ("A) trout B) whale C) gecko", None),
        ("#### A or B", None),
        ("#### A and C", None),
        ("#### A, B", None),
        ("#### A\nB\nC", None),
        ("#### A. B. C.", None),
        ("#### (A) (B)", None),
        ("#### Berlin", None),
        ("#### B12", None),
        ("#### B's", None),
        ("#### Z", None),
        ("#### \u0412", None),  # Cyrillic
        ("#### \uff22", None),  # full width
        ("#### \u24b7", None),  # circled
        ("B\nbecause whales are mammals", None),
        ("", None),
    ],
)
def test_a_choice_is_read_where_it_is_one(answer, letter):
    assert multiple_choice.read_choice(answer) == letter


def test_the_right_letter_earns_1_and_others_nothing(graded):
    def grade(answer):
        return graded(multiple_choice, answer, "B")

    assert grade("#### B") == (1.0, {"accuracy": 1.0, "answer_found": 1.0})
    assert grade("#### C") == (0.0, {"accuracy": 0.0, "answer_found": 1.0})
    assert grade("no idea") == (0.0, {"accuracy": 0.0, "answer_found": 0.0})


@pytest.mark.parametrize(
    "reference",
    ["B", "b", "(B)", "B) whale", "The answer is B.", "#### B"]
    + [{key: "B"} for key in multiple_choice.ANSWER_KEYS],
    ids=str,
)
def test_every_shape_of_reference_is_read_from_every_place(graded, reference):
    for profile in ("metadata", "root", "both"):
        assert graded(multiple_choice, "#### B", reference, profile=profile)[0] == 1.0, profile
        assert graded(multiple_choice, "#### A", reference, profile=profile)[0] == 0.0, profile


def test_the_environment_lists_the_letters(graded, monkeypatch):
    monkeypatch.setenv("MULTIPLE_CHOICE_LETTERS", "AB")
    assert graded(multiple_choice, "#### C", "B")[1]["answer_found"] == 0.0
    with pytest.raises(
        ValueError, match="unreadable reference 'C': expected one of the letters AB"
    ):
        graded(multiple_choice, "#### C", "C")
    monkeypatch.setenv("MULTIPLE_CHOICE_LETTERS", "a,b")
    with pytest.raises(ValueError, match="MULTIPLE_CHOICE_LETTERS is 'a,b', expected capitals"):
        graded(multiple_choice, "#### A", "A")


PHRASES = ["#### {}", "ANSWER: {}", "The answer is {}.", "\\boxed{{{}}}", "({})", "{}", "{}) text"]


@given(st.sampled_from(multiple_choice.LETTERS), st.sampled_from(PHRASES))
def test_every_letter_is_read_in_every_phrasing(letter, phrase):
    assert multiple_choice.read_choice(phrase.format(letter)) == letter


@given(
    st.permutations("ABCD"),
    st.sampled_from([" or ", ", ", "/", " and ", " ", "\n", ") ", ". ", "; ", " | "]),
    st.sampled_from(["#### {}", "ANSWER: {}", "The answer is {}", "{}"]),
)
def test_listing_all_letters_chooses_none(letters, separator, phrase):
    assert multiple_choice.read_choice(phrase.format(separator.join(letters))) is None


@given(st.text(max_size=200))
def test_no_text_breaks_the_reading(text):
    assert multiple_choice.read_choice("#### " + text) in (None, *multiple_choice.LETTERS)
