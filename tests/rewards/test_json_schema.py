from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import json_schema

EXPECTED = {"name": "Ada", "age": 36, "tags": ["x", "y"]}
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.fixture
def grade(graded):
    def run(answer, reference=EXPECTED, **options):
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return graded(json_schema, text, reference, **options)

    return run


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        (EXPECTED, 1.0),
        ({"tags": ["x", "y"], "age": 36.0, "name": "Ada"}, 1.0),
        ("```json\n" + json.dumps(EXPECTED) + "\n```", 1.0),
        ("Here it is:\n```\n" + json.dumps(EXPECTED) + "\n```\nDone.", 1.0),
        ({**EXPECTED, "age": 35}, 0.75),
        ({**EXPECTED, "age": "36"}, 0.75),
        ({**EXPECTED, "age": True}, 0.75),
        ({**EXPECTED, "tags": ["y", "x"]}, 0.5),
        ({**EXPECTED, "tags": ["x"]}, 0.75),
        ({**EXPECTED, "more": 1}, 0.8),
        ({**EXPECTED, **{f"k{n}": n for n in range(36)}}, 0.1),
        ({"name": "Ada"}, 0.25),
        ({}, 0.0),
        ({"name": "Bo", "age": 1, "tags": ["p", "q"]}, 0.0),
        ([EXPECTED], 0.0),
        (json.dumps(EXPECTED) + json.dumps(EXPECTED), 0.0),
        ("The answer: " + json.dumps(EXPECTED), 0.0),
        ("{}\n```" + json.dumps(EXPECTED) + "```", 0.0),
        (json.dumps(EXPECTED)[:-1], 0.0),
        (json.dumps(EXPECTED).replace("36", "NaN"), 0.0),
        (json.dumps(EXPECTED).replace("36", "1e999"), 0.0),
        (json.dumps(EXPECTED).replace("36", "9" * 5000), 0.0),
        (json.dumps(EXPECTED).replace("36", '36, "age": 36'), 0.0),
        (json.dumps(EXPECTED) + " " * 20_000, 0.0),
        ('{"a":' * 40 + "1" + "}" * 40, 0.0),
        ('{"a":' * 9000, 0.0),
        ("", 0.0),
    ],
)
def test_equal_fields_count_over_all_fields_of_both(grade, answer, score):
    assert grade(answer)[0] == pytest.approx(score)


@pytest.mark.parametrize(
    ("answer", "score", "valid", "required"),
    [
        (EXPECTED, 1.0, 1, 1.0),
        ({**EXPECTED, "age": 35}, 0.75, 1, 1.0),
        ({**EXPECTED, "age": -1}, 0.375, 0, 1.0),
        ({**EXPECTED, "more": 1}, 0.4, 0, 1.0),
        ({"name": "Ada", "tags": ["x", "y"]}, 0.375, 0, 0.5),
        ("no JSON", 0.0, 0, 0.0),
    ],
)
def test_breaking_the_schema_halves_the_score(grade, answer, score, valid, required):
    earned, parts = grade(answer, schema=SCHEMA)
    assert earned == pytest.approx(score)
    assert parts["schema_valid"] == valid
    assert parts["required_keys"] == required
    assert parts["exact_match"] == (answer == EXPECTED)
    assert parts["json_found"] == (0.0 if answer == "no JSON" else 1.0)


def test_the_schema_comes_from_the_sample_before_the_environment(grade, monkeypatch):
    monkeypatch.setenv("JSON_SCHEMA", json.dumps({"required": ["name", "email"]}))
    with pytest.raises(ValueError, match="it breaks the schema"):
        grade(EXPECTED)
    assert grade(EXPECTED, schema=SCHEMA)[0] == 1.0
    reference = {"name": "Ada", "email": "a@b"}
    assert grade({"name": "Ada"}, reference)[0] == 0.25
    metadata = {"reference_answer": EXPECTED, "schema": SCHEMA}
    assert grade(EXPECTED, metadata=metadata)[0] == 1.0


@pytest.mark.parametrize(
    "reference",
    [{"a": 1}, '{"a": 1}', {"text": '{"a": 1}'}, '\n{"a": 1.0}\n'],
    ids=str,
)
def test_every_shape_of_reference_is_read_from_every_place(grade, reference):
    for profile in ("metadata", "root", "both"):
        assert grade({"a": 1}, reference, profile=profile)[0] == 1.0, profile
        assert grade({"a": 2}, reference, profile=profile)[0] == 0.0, profile


def test_an_expected_object_may_itself_have_a_text(grade):
    assert grade({"text": "hello"}, {"text": "hello"})[0] == 1.0
    assert grade({"answer": 1}, {"answer": 1})[0] == 1.0


@pytest.mark.parametrize("reference", ["[1]", "72", "hello", '{"a": NaN}'])
def test_a_reference_that_is_no_object_raises(grade, reference):
    with pytest.raises(ValueError, match="unreadable reference"):
        grade({}, reference)


@pytest.mark.parametrize(
    ("schema", "named"),
    [
        ({"pattern": "(a+)+"}, "pattern"),
        ({"$ref": "#"}, "$ref"),
        ({"properties": {"a": {"format": "date"}}}, "format"),
        ({"items": {"oneOf": []}}, "oneOf"),
        ({"type": "text"}, "text"),
        ({"type": ["string", "date"]}, "date"),
        ([], "[]"),
    ],
)
def test_a_keyword_outside_the_subset_is_an_error_and_not_ignored(grade, schema, named):
    with pytest.raises(ValueError, match="the schema uses") as caught:
        grade(EXPECTED, schema=schema)
    assert named in str(caught.value)


def test_a_schema_that_is_not_json_is_an_error(grade, monkeypatch):
    monkeypatch.setenv("JSON_SCHEMA", "{")
    with pytest.raises(ValueError, match="the schema is not JSON"):
        grade(EXPECTED)


@pytest.mark.parametrize(
    ("value", "schema", "valid"),
    [
        (1, {"type": "integer"}, True),
        (1.0, {"type": "integer"}, True),
        (1.5, {"type": "integer"}, False),
        (True, {"type": "integer"}, False),
        (True, {"type": "boolean"}, True),
        (None, {"type": ["string", "null"]}, True),
        ("a", {"enum": ["a", "b"]}, True),
        (1, {"enum": [True]}, False),
        (1, {"const": 1.0}, True),
        (5, {"minimum": 5, "maximum": 5}, True),
        ("z", {"minimum": 5}, True),
        ("abc", {"minLength": 3, "maxLength": 3}, True),
        ("abcd", {"maxLength": 3}, False),
        ([1], {"minItems": 2}, False),
        ([1, 2, 3], {"maxItems": 2}, False),
        ([1, "a"], {"items": {"type": "integer"}}, False),
        ({"a": 1}, {"required": ["b"]}, False),
        ({"a": {"b": 1}}, {"properties": {"a": {"required": ["c"]}}}, False),
        ({"a": 1}, {"additionalProperties": True}, True),
        ({"a": 1}, {"title": "T", "description": "D"}, True),
    ],
)
def test_keywords_mean_what_json_schema_says(value, schema, valid):
    assert json_schema.is_valid(value, json_schema.read_schema(json.dumps(schema))) is valid


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=4), values, min_size=1, max_size=4)


def score(answer, expected):
    turn = {"role": "assistant", "content": answer}
    sample = {"id": "a", "messages": [turn], "reference_answer": {"expected": expected}}
    return json_schema.grade(sample, schema={})["aggregate_reward_score"]


@given(objects, st.booleans(), st.sampled_from([None, 2]))
def test_the_expected_object_earns_1_however_it_is_written(expected, ascii_only, indent):
    written = json.dumps({"expected": expected}, ensure_ascii=ascii_only, indent=indent)
    if "```" not in written:
        assert score(written, expected) == 1.0


@given(objects, objects)
def test_two_objects_share_a_part_between_nothing_and_all(left, right):
    share = json_schema.field_accuracy(left, right)
    assert 0.0 <= share <= 1.0
    assert share == json_schema.field_accuracy(right, left)
    assert json_schema.field_accuracy(left, left) == 1.0
