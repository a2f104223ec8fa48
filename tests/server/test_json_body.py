"""JSON from a client: what comes through, and what is refused once, at the border."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.server import json_body
from bedrock_rft_sim.server.json_body import MAX_LEVELS, MAX_VALUES, parse_json

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(PLAIN, st.booleans())
def test_what_is_text_comes_through(value: object, ascii_only: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.characters(categories=["Cs"]), TEXT, TEXT)
def test_half_a_surrogate_pair_is_refused_wherever_it_stands(
    half: str, before: str, after: str
) -> None:
    text = before + half + after
    for value in (text, [text], {"a": [text]}, {text: 1}, [{"a": {text: {}}}]):
        with pytest.raises(ValueError, match="half a surrogate pair"):
            parse_json(json.dumps(value).encode())
        with pytest.raises(ValueError, match="half a surrogate pair"):
            parse_json(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def test_a_whole_pair_is_a_character() -> None:
    assert parse_json(b'"\\ud83d\\ude00"') == "\U0001f600"


@pytest.mark.parametrize("value", ["[],", "{},", "1,", '"a",', "[[]],", '{"a":1},'])
def test_json_that_is_too_wide_is_refused_before_it_is_read(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_body.json, "loads", lambda *_, **__: pytest.fail("it was read"))
    wide = "[" + value * MAX_VALUES + "0]"
    with pytest.raises(ValueError, match="more than 1,000,000 values"):
        parse_json(wide.encode())


def test_depth_is_counted() -> None:
    parse_json(b"[" * (MAX_LEVELS - 1) + b"]" * (MAX_LEVELS - 1))
    with pytest.raises(ValueError, match="nested deeper"):
        parse_json(b"[" * (MAX_LEVELS + 1) + b"]" * (MAX_LEVELS + 1))
