"""Pages of a list that goes on changing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.server.errors import AwsError
from sim.server.pages import page


@given(st.lists(st.text(), unique=True), st.integers(1, 7))
def test_the_pages_together_are_the_list(items: list[str], size: int) -> None:
    seen: list[str] = []
    token = None
    while True:
        shown, token = page(items, key=str, size=size, token=token)
        seen += shown
        if token is None:
            break
        assert len(shown) == size
    assert seen == items


def test_what_is_made_meanwhile_shifts_nothing() -> None:
    _, token = page(["c", "b", "a"], key=str, size=1, token=None)
    assert page(["e", "d", "c", "b", "a"], key=str, size=9, token=token)[0] == ["b", "a"]
    assert page(["c", "b", "a", "z"], key=str, size=9, token=token)[0] == ["b", "a", "z"]


def test_a_token_survives_its_item_leaving_the_filter() -> None:
    items = ["c", "b", "a"]
    _, token = page(items, key=str, size=1, token=None)
    assert page(items, key=str, keep=lambda one: one != "c", size=9, token=token)[0] == ["b", "a"]


@pytest.mark.parametrize("token", ["", "x", "bm9ib2R5", "ü"])
def test_a_foreign_token_is_a_validation_error(token: str) -> None:
    with pytest.raises(AwsError, match="nextToken"):
        page(["a"], key=str, size=1, token=token)
