from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.data.prepare.template import TEMPLATES, Template, template
from bedrock_rft_sim.errors import RecipeError


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_named_template_asks_the_question_once(name: str) -> None:
    filled = template(name, fields=["question"]).fill({"question": "How many?"})
    assert filled.count("How many?") == 1
    assert "{question}" not in filled


def test_other_braces_are_text() -> None:
    made = template("\\boxed{} {answer} {{question}} {question}", fields=["question"])
    assert made.fill({"question": "Q"}) == "\\boxed{} {answer} {Q} Q"


def test_a_text_without_a_place_names_the_places_and_the_names() -> None:
    with pytest.raises(RecipeError) as caught:
        template("samles", fields=["question", "unit"])
    assert "samples, short, boxed, plain" in str(caught.value)
    assert "{question} or {unit}" in str(caught.value)


@given(st.text())
def test_what_is_filled_in_is_never_filled_itself(question: str) -> None:
    assert Template("<{question}>").fill({"question": question}) == f"<{question}>"


def test_one_field_does_not_leak_into_another() -> None:
    assert Template("{a} {b}").fill({"a": "{b}", "b": "2"}) == "{b} 2"
