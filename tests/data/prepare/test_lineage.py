"""The id, the root and the question of a row."""

from __future__ import annotations

from typing import Any

import pytest

from bedrock_rft_sim.data.prepare.lineage import id_of, name_of, parent_of, question_of, root_of
from bedrock_rft_sim.data.prepare.rows import DataRow


@pytest.mark.parametrize(
    ("record", "id_"), [({"id": "a"}, "a"), ({"id": ""}, None), ({"id": 7}, None), ({}, None)]
)
def test_an_id_is_text_or_nothing(record: dict[str, Any], id_: str | None) -> None:
    assert id_of(record) == id_


@pytest.mark.parametrize(
    ("record", "name", "parent", "root"),
    [
        ({"id": "a"}, "a", None, "a"),
        ({}, "row-000007", None, "row-000007"),
        ({"id": "a-rename-1", "parent_id": "a"}, "a-rename-1", "a", "a"),
        ({"id": "a", "parent_id": ""}, "a", None, "a"),
    ],
)
def test_a_row_has_a_name_and_a_root(
    record: dict[str, Any], name: str, parent: str | None, root: str
) -> None:
    row = DataRow(7, record)
    assert (name_of(row), parent_of(row), root_of(row)) == (name, parent, root)


def test_the_question_is_the_last_user_message_without_its_instruction() -> None:
    messages = [{"role": "user", "content": "How many? Think."}]
    assert question_of(DataRow(1, {"messages": messages})) == "How many? Think."
    stated = {"messages": messages, "original_question": "How many?"}
    assert question_of(DataRow(1, stated)) == "How many?"
    parts = [{"role": "user", "content": [{"type": "text", "text": "How many?"}]}]
    assert question_of(DataRow(1, {"messages": parts})) == "How many?"
    assert question_of(DataRow(1, {})) == ""
