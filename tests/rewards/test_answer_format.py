from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import answer_format

THINK = "<think>48 / 2 = 24</think>\n<answer>72</answer>"


@pytest.mark.parametrize(
    ("form", "answer", "score"),
    [
        ("marker", "48 + 24 = 72\n#### 72", 1.0),
        ("marker", "#### 72", 1.0),
        ("marker", "#### seventy-two\n\n", 1.0),
        ("marker", "#### 1\n#### 2", 0.5),
        ("marker", "so #### 72", 0.5),
        ("marker", "#### 72\nThat is all.", 0.5),
        ("marker", "##### 72", 0.5),
        ("marker", "# Title\n#### 72", 0.5),
        ("marker", "#### " + "7" * 101, 0.5),
        ("marker", "72", 0.0),
        ("marker", "####", 0.0),
        ("marker", "#### \n", 0.0),
        ("marker", "#### ...", 0.0),
        ("marker", "### 72", 0.0),
        ("boxed", "So \\boxed{72}", 1.0),
        ("boxed", "So $\\boxed{\\frac{1}{2}}$.", 1.0),
        ("boxed", "\\boxed{1} or \\boxed{2}", 0.5),
        ("boxed", "\\boxed{72} is it", 0.5),
        ("boxed", "\\boxed{}", 0.0),
        ("boxed", "\\boxed{72", 0.0),
        ("boxed", "boxed{72}", 0.0),
        ("think", THINK, 1.0),
        ("think", f"  {THINK}\n", 1.0),
        ("think", "Hm. " + THINK, 0.5),
        ("think", THINK + " Done.", 0.5),
        ("think", THINK + THINK, 0.5),
        ("think", THINK.replace("48 / 2 = 24", " "), 0.5),
        ("think", "<answer>72</answer><think>48 / 2 = 24</think>", 0.5),
        ("think", "<answer>72</answer>", 0.5),
        ("think", "<think>48</think><answer> </answer>", 0.0),
        ("think", "<think>48</think><answer>72", 0.0),
        ("think", "72", 0.0),
        ("json", '{"answer": 72}', 1.0),
        ("json", ' {"answer": [1, {"b": null}]}\n', 1.0),
        ("json", '```json\n{"answer": 72}\n```', 0.5),
        ("json", 'Here: ```{"answer": 72}```', 0.5),
        ("json", "[72]", 0.0),
        ("json", "72", 0.0),
        ("json", '{"answer": NaN}', 0.0),
        ("json", "{'answer': 72}", 0.0),
        ("json", '{"answer": 72} {"answer": 73}', 0.0),
    ],
)
def test_exact_form_earns_1_and_a_readable_one_half(form, answer, score, graded, monkeypatch):
    monkeypatch.setenv("ANSWER_FORMAT", form)
    earned, parts = graded(answer_format, answer, "whatever")
    assert earned == score
    assert parts == {"format": score, "answer_readable": float(score > 0)}


def test_the_marker_is_the_form_unless_another_is_set(graded):
    assert graded(answer_format, "#### 72", "73")[0] == 1.0
    assert graded(answer_format, "\\boxed{72}", "72")[0] == 0.0


def test_no_reference_is_needed():
    turn = {"role": "assistant", "content": "#### 72"}
    (result,) = answer_format.lambda_handler([{"id": "a", "messages": [turn]}], None)
    assert result["aggregate_reward_score"] == 1.0


def test_an_unknown_form_is_an_error_and_not_a_score(graded, monkeypatch):
    monkeypatch.setenv("ANSWER_FORMAT", "haiku")
    with pytest.raises(ValueError, match="ANSWER_FORMAT is 'haiku', expected one of marker, boxed"):
        graded(answer_format, "#### 72", "72")


@pytest.mark.parametrize("form", answer_format.FORMS)
def test_a_hundred_thousand_characters_of_anything_are_read(form):
    for filler in ("{", "}", "[", "#### ", "\\boxed{", "<think>", "```", "\n"):
        assert answer_format.FORMS[form](filler * (100_000 // len(filler))) in (0.0, 0.5), filler


@given(st.sampled_from(sorted(answer_format.FORMS)), st.text(max_size=100))
def test_every_text_has_one_of_three_scores(form, text):
    assert answer_format.FORMS[form](text) in (0.0, 0.5, 1.0)


@given(st.text(max_size=100).filter(lambda text: "#" not in text), st.integers())
def test_whatever_comes_before_the_marked_line_keeps_the_form(text, number):
    assert answer_format.score_marker(f"{text}\n#### {number}"[-120:]) == 1.0
