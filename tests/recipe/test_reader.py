import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe.reader import read_document, read_scalar


def read(text):
    return read_document(text, name="text").data


@pytest.mark.parametrize("text", ["1e-5", "1.0e-5", "5e-05", "1E-5", ".00001", "1e+2", "-2.5"])
def test_exponents_are_numbers_with_or_without_a_dot(text):
    value = read(f"x: {text}")["x"]
    assert isinstance(value, float)
    assert value == float(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("+12", 12),
        ("012", 12),
        ("0o14", 12),
        ("0xC", 12),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("off", "off"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("'12'", "12"),
        ("<<", "<<"),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text, value):
    found = read(f"x: {text}")["x"]
    assert found == value
    assert type(found) is type(value)


def test_json_indented_with_tabs_is_read():
    assert read('{\n\t"a": [1,\n\t\t2.5e-3]\n}') == {"a": [1, 2.5e-3]}


def test_a_character_that_json_writes_as_two_escapes_is_one():
    assert read('{"a": "\\ud83d\\ude00"}') == {"a": "\N{GRINNING FACE}"}


def test_every_key_and_entry_knows_its_line():
    document = read_document("a:\n  b: 1\n  c:\n    - x\n    - y: 2\n", name="text")
    assert document.line(("a", "b")) == 2
    assert document.line(("a", "c", 0)) == 4
    assert document.line(("a", "c", 1, "y")) == 5
    assert document.line(("a", "c", 1, "absent")) == 5
    assert document.line(("absent",)) == 1


LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
KEYS = st.text(LETTERS, max_size=80)  # YAML ends a key at 1,024 characters, escapes included
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(LETTERS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(KEYS, PLAIN, max_size=4))
def test_whatever_json_can_write_is_read_back_the_same(data):
    assert read(json.dumps(data)) == data


@settings(max_examples=60, deadline=None)
@given(PLAIN)
def test_a_value_written_as_json_survives_the_command_line(value):
    found = read_scalar(json.dumps(value), where="--set")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text", ["a: [" + "1," * 9000 + "1]", "".join(f"k{n}: 1\n" for n in range(9000))]
)
def test_more_values_than_a_recipe_ever_holds_are_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="too many values"):
        read_document(text, name="text")


def test_a_nul_is_refused_wherever_a_text_may_hold_one() -> None:
    for text in ('a: "x\\0"', '"a\\0": x', '{"a": ["\\u0000"]}'):
        with pytest.raises(RecipeError, match="a NUL character"):
            read_document(text, name="text")
