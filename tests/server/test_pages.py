"""Pages of a list that goes on changing."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.server.errors import AwsError
from bedrock_rft_sim.server.pages import LAMBDA, Key, page


def own(item: str) -> Key:
    return (item,)


Change = Callable[[list[str], list[str]], list[str]]


def walked(items: list[str], *, size: int, is_ascending: bool, change: Change) -> list[str]:
    """Return all pages together; after each the list is what `change` makes of it."""
    seen: list[str] = []
    token = None
    while True:
        params = {"maxResults": size, "nextToken": token}
        shown, token = page(items, params, key=own, is_ascending=is_ascending)
        seen += shown
        if token is None:
            return seen
        assert len(shown) == size
        items = change(items, shown)


@given(st.lists(st.text(), unique=True), st.integers(1, 7), st.booleans())
def test_the_pages_together_are_the_list_in_order(
    items: list[str], size: int, is_ascending: bool
) -> None:
    seen = walked(items, size=size, is_ascending=is_ascending, change=lambda items, _: items)
    assert seen == sorted(items, reverse=not is_ascending)


@given(st.lists(st.text(), unique=True), st.integers(1, 7), st.booleans())
def test_deleting_what_each_page_shows_deletes_all(
    items: list[str], size: int, is_ascending: bool
) -> None:
    def delete(items: list[str], shown: list[str]) -> list[str]:
        return [one for one in items if one not in shown]

    seen = walked(items, size=size, is_ascending=is_ascending, change=delete)
    assert sorted(seen) == sorted(items)


@given(st.sets(st.integers()), st.sets(st.integers()), st.booleans())
def test_what_stays_is_shown_once_whatever_is_made_and_deleted_meanwhile(
    before: set[int], after: set[int], is_ascending: bool
) -> None:
    options: dict[str, Any] = {"key": lambda one: (one,), "is_ascending": is_ascending}
    first, token = page(before, {"maxResults": 2}, **options)
    rest: list[int] = []
    while token is not None:
        shown, token = page(after, {"maxResults": 2, "nextToken": token}, **options)
        rest += shown
    seen = [*first, *rest]
    assert len(seen) == len(set(seen))
    assert set(seen) >= before & after


def test_a_token_survives_its_item_leaving_the_filter() -> None:
    _, token = page(["a", "b", "c"], {"maxResults": 1}, key=own)
    assert page(["b", "c"], {"nextToken": token}, key=own)[0] == ["b", "c"]


@pytest.mark.parametrize(
    "content", [b"", b"x", b"nobody", b"1", b"[]", b"[1]", b"[null]", b"{}", b"[" * 9999, b"\xff"]
)
def test_a_foreign_token_is_a_validation_error(content: bytes) -> None:
    token = base64.urlsafe_b64encode(content).decode()
    with pytest.raises(AwsError, match="nextToken is not one of this endpoint's"):
        page(["a"], {"nextToken": token}, key=own)


def test_a_token_that_is_no_base64_is_a_validation_error() -> None:
    for token in ("x", "ü", "bm9ib2R5", "\ud800"):
        with pytest.raises(AwsError, match="Marker"):
            page(["a"], {"Marker": token}, paging=LAMBDA, key=own)
