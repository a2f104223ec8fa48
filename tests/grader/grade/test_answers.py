from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.data import Row, row_from_record
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.grader.grade.answers import (
    BATCH_ANSWERS,
    SavedAnswer,
    UniqueNames,
    file_batches,
)

USER = {"role": "user", "content": "How many?"}


def read(path: Path, rows: dict[str, Row] | None = None) -> list[SavedAnswer]:
    return [answer for batch in file_batches(path, rows or {}) for answer in batch.answers]


def row(row_id: str, **keys: object) -> Row:
    record = {"id": row_id, "messages": [USER], **keys}
    return row_from_record(record, source="rows.jsonl", line=1)


@pytest.mark.parametrize(
    "record",
    [
        {"messages": [USER], "answer": "7"},
        {"prompt": "How many?", "answer": "7"},
        {"messages": [USER, {"role": "assistant", "content": "7"}]},
        {"messages": [USER, {"role": "nova_assistant", "content": "7"}]},
        {"messages": [USER, {"role": "assistant", "content": [{"type": "text", "text": "7"}]}]},
    ],
)
def test_the_answer_is_a_key_or_the_last_turn(
    record: dict[str, object], write_answers: Callable[..., Path]
) -> None:
    [answer] = read(write_answers({"id": "a", "reference_answer": "7", "topic": "sums", **record}))
    assert answer.text == "7"
    assert answer.sample.messages[0] == USER
    assert answer.sample.reference_answer == "7"
    assert answer.sample.extra == {"topic": "sums"}


def test_a_last_turn_keeps_its_own_role_and_parts(write_answers: Callable[..., Path]) -> None:
    turn = {"role": "nova_assistant", "content": [{"type": "text", "text": "7"}]}
    [answer] = read(write_answers({"messages": [USER, turn]}))
    assert answer.sample.messages[-1] == turn


def test_an_empty_answer_is_an_answer(write_answers: Callable[..., Path]) -> None:
    assert read(write_answers({"messages": [USER], "answer": ""}))[0].text == ""


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"messages": [USER]}, "holds no answer"),
        ({"messages": [USER], "answer": None}, "is no text"),
        ({"messages": [USER], "answer": 7}, "is no text"),
        ({"messages": [USER, {"role": "assistant"}]}, "is no text"),
        ({"messages": [USER, {"role": "assistant", "content": "7"}], "answer": "7"}, "two answers"),
        ({"id": "a", "answer": "7"}, "holds no prompt"),
        ({"id": "a", "answer": "7", "messages": "How many?"}, "messages can't be used"),
        ({"id": 5, "answer": "7", "messages": [USER]}, "the id can't be used"),
    ],
)
def test_what_can_not_be_graded_is_one_error_with_its_line(
    record: dict[str, object], message: str, write_answers: Callable[..., Path]
) -> None:
    good = {"messages": [USER], "answer": "7"}
    with pytest.raises(DataError, match=message) as error:
        read(write_answers(good, record))
    assert "answers.jsonl:2" in str(error.value)


def test_rows_fill_in_what_the_record_leaves_out(write_answers: Callable[..., Path]) -> None:
    rows = {"a": row("a", reference_answer="7", topic="sums")}
    path = write_answers({"id": "a", "answer": "8"}, {"id": "a", "answer": "9", "topic": "mine"})
    first, second = read(path, rows)
    assert (first.sample.reference_answer, first.sample.extra) == ("7", {"topic": "sums"})
    assert second.sample.extra == {"topic": "mine"}


def test_several_answers_to_one_prompt_get_names_of_their_own(
    write_answers: Callable[..., Path],
) -> None:
    path = write_answers(*({"id": "a", "prompt": "?", "answer": str(n)} for n in range(3)))
    answers = read(path)
    assert [answer.id for answer in answers] == ["a", "a", "a"]
    assert [answer.sample.id for answer in answers] == ["a", "a#1", "a#2"]


@given(st.lists(st.sampled_from(["a", "a#1", "a#2", "b", "a#1#1"])))
def test_no_name_is_given_twice(names: list[str]) -> None:
    unique = UniqueNames()
    given_names = [unique.take(name) for name in names]
    assert len(set(given_names)) == len(names)


def test_a_large_file_comes_in_batches(write_answers: Callable[..., Path]) -> None:
    count = BATCH_ANSWERS + 1
    path = write_answers(*({"prompt": "?", "answer": str(n)} for n in range(count)))
    assert [len(batch.answers) for batch in file_batches(path, {})] == [BATCH_ANSWERS, 1]


def test_a_file_is_read_no_further_than_the_batch_that_is_asked_for(
    write_answers: Callable[..., Path],
) -> None:
    records = [{"prompt": "?", "answer": "7"}] * BATCH_ANSWERS
    batches = file_batches(write_answers(*records, {"broken": True}), {})
    assert len(next(batches).answers) == BATCH_ANSWERS
    with pytest.raises(DataError, match=f":{BATCH_ANSWERS + 1}"):
        next(batches)


def write_csv(path: Path, *lines: list[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows(lines)
    return path


def test_a_csv_s_further_columns_travel_with_the_record(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "answers.csv",
        ["id", "prompt", "answer", "reference_answer", "topic"],
        ["a", "How\nmany?", "7, or 8", '{"final_answer": "7"}', "sums"],
        ["", "How many?", "", "7", ""],
    )
    first, second = read(path)
    assert first.sample.messages[0]["content"] == "How\nmany?"
    assert first.text == "7, or 8"
    assert first.sample.reference_answer == {"final_answer": "7"}
    assert first.sample.extra == {"topic": "sums"}
    assert (second.text, second.sample.reference_answer, second.sample.extra) == ("", "7", {})


def test_a_csv_may_hold_whole_messages(tmp_path: Path) -> None:
    turns = [USER, {"role": "assistant", "content": "7"}]
    path = write_csv(tmp_path / "answers.CSV", ["id", "messages"], ["a", json.dumps(turns)])
    assert read(path)[0].text == "7"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,prompt,answer\na,?,7,8\n", "more or fewer cells"),
        ("id,prompt,answer\na,?\n", "more or fewer cells"),
        ("id,messages,answer\na,{[},7\n", "the cell is not JSON"),
        ("id,prompt,answer\n", "holds no record"),
        ("", "holds no record"),
        ('id,prompt,answer\na,"?\n', "the file is no CSV"),
        ("id,prompt\na,?\n", "holds no answer"),
    ],
)
def test_a_csv_that_can_not_be_read_is_one_error(
    content: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read(path)


def test_a_file_that_is_not_there_or_no_utf8_is_one_error(tmp_path: Path) -> None:
    for name in ("none.csv", "none.jsonl"):
        with pytest.raises(DataError, match="can't read"):
            read(tmp_path / name)
    (tmp_path / "latin.csv").write_bytes(b"id,prompt,answer\na,\xe9,7\n")
    with pytest.raises(DataError, match="not UTF-8"):
        read(tmp_path / "latin.csv")
