from __future__ import annotations

from pathlib import Path

import pytest

from bedrock_rft_sim.data.prepare.rows import content_text, prompt_text, read, reference_text
from bedrock_rft_sim.errors import DataError


def test_rows_come_with_line_and_file(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\n{"anything": []}\n\n')
    assert [(row.line, row.record, row.source) for row in read(path)] == [
        (1, {"a": 1}, str(path)),
        (2, {"anything": []}, str(path)),
    ]


def test_a_broken_line_is_one_error_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\n{"a": \n')
    with pytest.raises(DataError, match=r"x.jsonl:2: the line is not JSON"):
        list(read(path))


def test_the_prompt_is_what_system_and_user_say() -> None:
    parts = [{"type": "text", "text": "What is "}, {"type": "text", "text": "3 + 4?"}]
    record = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi"},
            {"role": "user", "content": parts},
        ]
    }
    assert prompt_text(record) == "Be brief.\nHello\nWhat is 3 + 4?"


@pytest.mark.parametrize("messages", [None, "x", [], ["x"], [{"role": "user"}]])
def test_a_prompt_that_is_not_there_is_no_text(messages: object) -> None:
    assert prompt_text({"messages": messages}) == ""
    assert content_text(messages) in ("", "x")


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("#### 7", "#### 7"),
        ("", None),
        ({}, None),
        (None, None),
        (7, None),
        ({"final_answer": "7", "steps": ["3 + 4 = 7"]}, "3 + 4 = 7\n#### 7"),
        ({"final_answer": 7}, "#### 7"),
        ({"answer": "[1, 2]"}, "[1, 2]"),
        ({"answer": [1, 2]}, "[1, 2]"),
        ({"b": 1, "a": "é"}, '{"a": "é", "b": 1}'),
    ],
)
def test_a_reference_reads_as_text(reference: object, text: str | None) -> None:
    assert reference_text({"reference_answer": reference}) == text


def test_a_record_without_a_reference_has_no_reference_text() -> None:
    assert reference_text({}) is None
