from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import exact_match


@pytest.fixture
def grade(graded):
    def run(answer, reference, **options):
        return graded(exact_match, answer, reference, **options)

    return run


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        ("Lima", "Lima", 1.0),
        ("  lima.\n", "Lima", 1.0),
        ("It is easy.\n#### Lima", "Lima", 1.0),
        ("#### Quito\n#### Lima", "Lima", 1.0),
        ("#### Lima\nbye", "Lima", 1.0),
        ("New\n  York", "new york", 1.0),
        ("cafe\u0301", "caf\u00e9", 1.0),
        ("b", ["a", "b"], 1.0),
        ("404", 404, 1.0),
        ("The capital is Lima", "Lima", 0.0),
        ("Lima Quito Bogota", "Lima", 0.0),
        ("#### Lima or Quito", "Lima", 0.0),
        ("#### Quito", "Lima", 0.0),
        ("Lima\n####", "Lima", 0.0),
        ("Lim", "Lima", 0.0),
        ("cafe", "caf\u00e9", 0.0),
        ("L\u0456ma", "Lima", 0.0),
        ("\uff2c\uff49\uff4d\uff41", "Lima", 0.0),
        ("\u0664\u0660\u0664", "404", 0.0),
        ("\u212a2", "K2", 0.0),  # the sign for kelvin is a K only after normalisation
        ("a, b", ["a", "b"], 0.0),
        ("", "Lima", 0.0),
    ],
)
def test_equal_texts_earn_1_and_others_nothing(grade, answer, reference, score):
    earned, parts = grade(answer, reference)
    assert earned == score
    assert parts == {"exact_match": score, "marker_found": float("####" in answer)}


@pytest.mark.parametrize(
    "reference",
    [
        "Lima",
        "so\n#### Lima",
        ["Lima"],
        {"answer": "Lima"},
        {"text": "Lima"},
        {"final_answer": ["Cuzco", "Lima"]},
        {"ground_truth": "Lima."},
    ],
    ids=str,
)
def test_every_shape_of_reference_is_read_from_every_place(grade, reference):
    for profile in ("metadata", "root", "both"):
        assert grade("Lima", reference, profile=profile)[0] == 1.0, profile
        assert grade("Quito", reference, profile=profile)[0] == 0.0, profile


@pytest.mark.parametrize("reference", ["....", "#### ", ["Lima", ""], [True], {"answer": {}}, "."])
def test_an_empty_reference_is_no_reference(grade, reference):
    if reference == "....":
        assert grade("...", "....")[0] == 0.0
        return
    with pytest.raises(ValueError, match="unreadable reference"):
        grade("", reference)


def test_the_environment_sets_marker_and_case(grade, monkeypatch):
    monkeypatch.setenv("EXACT_MATCH_MARKER", "ANSWER:")
    assert grade("ANSWER: Lima", "Lima")[0] == 1.0
    monkeypatch.setenv("EXACT_MATCH_MARKER", "")
    assert grade("#### Lima", "Lima")[0] == 0.0
    assert grade("#### Lima", "#### Lima")[0] == 1.0
    monkeypatch.setenv("EXACT_MATCH_CASE", "keep")
    assert grade("lima", "Lima")[0] == 0.0
    monkeypatch.setenv("EXACT_MATCH_CASE", "lower")
    with pytest.raises(ValueError, match="EXACT_MATCH_CASE is 'lower', expected ignore or keep"):
        grade("lima", "Lima")


words = st.text(min_size=1, max_size=30).filter(
    lambda text: "#" not in text and exact_match.normalise(text, keep_case=True)
)


@given(words, st.sampled_from(["{}", "  {}\n", "so\n#### {}", "####   {}"]))
def test_the_reference_itself_earns_1_in_any_accepted_phrasing(text, phrasing):
    line = " ".join(text.split())
    turn = {"role": "assistant", "content": phrasing.format(line)}
    sample = {"id": "a", "messages": [turn], "reference_answer": line}
    assert exact_match.grade(sample)["aggregate_reward_score"] == 1.0


@given(words)
def test_composed_and_decomposed_text_is_one(text):
    decomposed = unicodedata.normalize("NFD", text)
    composed = unicodedata.normalize("NFC", text)
    if not exact_match.normalise(composed, keep_case=False).isascii():
        assert exact_match.is_same(decomposed, composed, keep_case=False)


@given(words, words)
def test_equality_has_no_direction_between_plain_texts(left, right):
    if left.isascii() and right.isascii():
        assert exact_match.is_same(left, right, keep_case=False) == exact_match.is_same(
            right, left, keep_case=False
        )
