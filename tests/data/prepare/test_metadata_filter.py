from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.data.prepare.metadata_filter import checked, from_words, matches
from bedrock_rft_sim.errors import RecipeError

MATH = {"project": "math", "stage": "prod"}


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (None, True),
        ({"equals": {"project": "math"}}, True),
        ({"equals": {"project": "Math"}}, False),
        ({"equals": {"team": "a"}}, False),
        ({"notEquals": {"project": "math"}}, False),
        ({"notEquals": {"project": "law"}}, True),
        ({"notEquals": {"team": "a"}}, True),
        ({"andAll": [{"equals": {"project": "math"}}, {"notEquals": {"stage": "test"}}]}, True),
        ({"andAll": [{"equals": {"project": "math"}}, {"equals": {"stage": "test"}}]}, False),
        ({"orAll": [{"equals": {"project": "law"}}, {"equals": {"stage": "prod"}}]}, True),
        ({"orAll": [{"equals": {"project": "law"}}, {"equals": {"stage": "test"}}]}, False),
    ],
)
def test_an_entry_is_taken_as_the_filter_says(wanted: Any, taken: bool) -> None:
    if wanted is not None:
        assert checked(wanted) == wanted
    assert matches(wanted, MATH) == taken


def test_words_become_the_request_s_own_filter() -> None:
    assert from_words([]) is None
    assert from_words(["a=b"]) == {"equals": {"a": "b"}}
    assert from_words(["a!=b=c"]) == {"notEquals": {"a": "b=c"}}
    both = [{"equals": {"a": "b"}}, {"notEquals": {"c": ""}}]
    assert from_words(["a=b", "c!="]) == {"andAll": both}
    assert from_words(["a=b", "c!="], match_any=True) == {"orAll": both}


@pytest.mark.parametrize("word", ["a", "=b", "!=b", ""])
def test_a_word_without_a_name_or_a_sign_is_refused(word: str) -> None:
    with pytest.raises(RecipeError, match="name=value or name!=value"):
        from_words([word])


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        {"equals": {"a": "b"}, "notEquals": {"a": "b"}},
        {"equals": {}},
        {"equals": {"a": "b", "c": "d"}},
        {"equals": {"a": "x" * 257}},
        {"equals": {"a": "{}"}},
        {"andAll": []},
        {"andAll": [{"equals": {"a": "b"}}] * 17},
        {"andAll": [{"andAll": []}]},
        {"equal": {"a": "b"}},
    ],
)
def test_what_the_service_would_refuse_is_refused(value: Any) -> None:
    with pytest.raises(RecipeError, match="requestMetadataFilters"):
        checked(value)


names = st.sampled_from("abc")
base = st.builds(lambda sign, name, value: {sign: {name: value}},
                 st.sampled_from(["equals", "notEquals"]), names, names)  # fmt: skip


@given(filters=st.lists(base, min_size=1, max_size=4), metadata=st.dictionaries(names, names))
def test_all_and_any_are_opposites(filters: list[Any], metadata: dict[str, str]) -> None:
    opposite = {"equals": "notEquals", "notEquals": "equals"}
    turned = [{opposite[sign]: pair for sign, pair in each.items()} for each in filters]
    assert matches({"andAll": filters}, metadata) != matches({"orAll": turned}, metadata)
