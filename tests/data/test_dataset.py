from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_rft_sim.data import Row, read_rows, row_from_record
from bedrock_rft_sim.data.lines import MAX_LINE_BYTES
from bedrock_rft_sim.data.selection import drop_long, split_rows
from bedrock_rft_sim.errors import DataError

USER = {"role": "user", "content": "What is 3 + 4?"}
SYSTEM = {"role": "system", "content": "Be brief."}
ANSWER = {"role": "assistant", "content": "7"}
GOOD = {"id": "a", "messages": [USER], "reference_answer": "#### 7"}


def record(**changes: Any) -> dict[str, Any]:
    return {**GOOD, **changes}


def write(tmp_path: Path, *lines: str | bytes | dict[str, Any]) -> Path:
    path = tmp_path / "train.jsonl"
    made = [json.dumps(line) if isinstance(line, dict) else line for line in lines]
    path.write_bytes(b"".join((x.encode() if isinstance(x, str) else x) + b"\n" for x in made))
    return path


def message_of(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        list(read_rows(path))
    return str(caught.value)


def make_rows(count: int) -> list[Row]:
    return [
        row_from_record({"messages": [USER]}, source="s", line=line) for line in range(1, count + 1)
    ]


def test_a_record_becomes_a_row_with_everything_it_carries(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "What is "}, {"type": "text", "text": "3 + 4?"}]
    given = {
        "id": "b",
        "messages": [SYSTEM, {"role": "user", "content": parts, "name": "x"}],
        "reference_answer": {"final_answer": 7},
        "ground_truth": "7",
        "metadata": {"k": [1]},
    }
    path = write(tmp_path, GOOD, given)
    first, second = read_rows(path)
    assert (first.id, first.reference_answer, first.extra, first.line) == ("a", "#### 7", {}, 1)
    assert list(second.messages) == given["messages"]
    assert second.reference_answer == {"final_answer": 7}
    assert second.extra == {"ground_truth": "7", "metadata": {"k": [1]}}
    assert (second.source, second.line) == (str(path), 2)


def test_a_missing_id_is_supplied_from_the_line(tmp_path: Path) -> None:
    rows = list(read_rows(write(tmp_path, {"messages": [USER]}, {"messages": [USER]})))
    assert [row.id for row in rows] == ["row-000001", "row-000002"]
    assert rows[0].reference_answer is None


def test_blank_lines_at_the_end_and_crlf_are_fine(tmp_path: Path) -> None:
    line = json.dumps(GOOD).encode()
    path = tmp_path / "x.jsonl"
    path.write_bytes(line + b"\r\n\r\n  \n")
    assert len(list(read_rows(path))) == 1
    path.write_bytes(line)
    assert len(list(read_rows(path))) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"messages": None}, "no messages"),
        ({"messages": []}, "no messages"),
        ({"messages": "hello"}, "messages can't be used"),
        ({"messages": ["hello"]}, r"messages[0] is not an object"),
        ({"messages": [{"role": "human", "content": "x"}]}, "found: 'human'"),
        ({"messages": [{"content": "x"}]}, "messages[0].role is missing"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0] has no role"),
        ({"messages": [USER, SYSTEM, USER]}, "system message is not the first"),
        ({"messages": [SYSTEM]}, "no user message"),
        ({"messages": [USER, ANSWER]}, "last message is not the user's"),
        ({"messages": [{"role": "user"}]}, "messages[0].content is missing"),
        ({"messages": [{"role": "user", "content": 7}]}, "content can't be used"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "content can't be used"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "text": "x"}]}]},
            "content can't be used",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "content can't be used",
        ),
        ({"messages": [{"role": "user", "content": " \n"}]}, "content is empty"),
        ({"messages": [{"role": "user", "content": []}]}, "content is empty"),
        ({"messages": [{"role": "user", "content": "a\ud800"}]}, "half of a character"),
        ({"id": 7}, "the id can't be used"),
        ({"id": ""}, "the id can't be used"),
        ({"id": None}, "the id can't be used"),
        ({"reference_answer": 7}, "reference_answer can't be used"),
        ({"reference_answer": None}, "reference_answer can't be used"),
        ({"reference_answer": ""}, "reference_answer can't be used"),
        ({"reference_answer": {}}, "reference_answer can't be used"),
        ({"reference_answer": ["7"]}, "reference_answer can't be used"),
    ],
)
def test_a_bad_record_is_named_with_its_line(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    message = message_of(write(tmp_path, record(id="first"), record(**changes)))
    assert words in message
    assert "train.jsonl:2" in message
    for part in ("expected:", "found:", "next:"):
        assert part in message
    if "id" not in changes:
        assert "(id 'a')" in message


def test_a_record_without_messages_lists_the_keys_it_has(tmp_path: Path) -> None:
    assert "found: keys prompt" in message_of(write(tmp_path, {"prompt": "x"}))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"id": "b", "messages": [}', "column 26"),
        ("[1]", "not an object"),
        ('"x"', "not an object"),
        ('{"messages": 1, "messages": 2}', "the key 'messages' twice"),
        ('{"a": {"k": 1, "k": 1}}', "the key 'k' twice"),
        ('{"a": NaN}', "the constant NaN"),
        ('{"a": -Infinity}', "the constant -Infinity"),
        ('{"a": 1e999}', "too large for a float"),
        ('{"a": ' + "9" * 5000 + "}", "not strict JSON"),
        (b'{"a": "\xff"}', "byte 0xFF at column 8"),
        ("[" * 200_000, "nested too deeply"),
        ('{"a": 1} {"b": 2}', "Extra data"),
        (b'{"a": "\x00"}', "control character"),
    ],
)
def test_a_broken_line_is_named_with_its_number(
    tmp_path: Path, line: str | bytes, words: str
) -> None:
    message = message_of(write(tmp_path, GOOD, line))
    assert words in message
    assert "train.jsonl:2" in message


def test_a_blank_line_between_records_is_an_error(tmp_path: Path) -> None:
    message = message_of(write(tmp_path, GOOD, "", "", record(id="b")))
    assert "train.jsonl:2: a blank line" in message


def test_a_byte_order_mark_is_named(tmp_path: Path) -> None:
    assert "byte order mark" in message_of(
        write(tmp_path, b"\xef\xbb\xbf" + json.dumps(GOOD).encode())
    )


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(json.dumps(GOOD).encode("utf-16"))
    assert "not UTF-8" in message_of(path)


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_an_empty_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(content)
    assert "holds no record" in message_of(path)


def test_a_missing_file_and_a_folder_are_errors(tmp_path: Path) -> None:
    assert "No such file" in message_of(tmp_path / "none.jsonl")
    assert "directory" in message_of(tmp_path)


def test_a_duplicate_id_names_both_lines(tmp_path: Path) -> None:
    message = message_of(write(tmp_path, GOOD, record(id="b"), GOOD))
    assert "train.jsonl:3 (id 'a')" in message
    assert "line 1" in message


def test_an_id_of_ours_that_is_taken_is_a_duplicate_too(tmp_path: Path) -> None:
    message = message_of(write(tmp_path, record(id="row-000002"), {"messages": [USER]}))
    assert "not unique" in message


def test_an_endless_line_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    with path.open("wb") as file:
        file.truncate(50 * MAX_LINE_BYTES)  # a sparse file without any newline
    tracemalloc.start()
    try:
        assert "too long" in message_of(path)
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_LINE_BYTES
    finally:
        tracemalloc.stop()


def test_rows_are_read_one_by_one(tmp_path: Path) -> None:
    rows = read_rows(write(tmp_path, GOOD, "broken"))
    assert next(rows).id == "a"
    with pytest.raises(DataError, match=":2"):
        next(rows)


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=3),
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(["id", "messages", "role", "content",
                                                       "type", "text", "reference_answer"]),
                                      inner, max_size=4), max_leaves=12))  # fmt: skip
def test_any_object_is_a_row_or_a_data_error(value: Any) -> None:
    for given_record in (value if isinstance(value, dict) else {}, record(messages=value)):
        try:
            row = row_from_record(given_record, source="s", line=1)
        except DataError:
            continue
        assert row.messages[-1]["role"] == "user"


def test_three_hundred_rows_split_into_270_and_30_in_file_order() -> None:
    rows = make_rows(300)
    train, validation = split_rows(rows, 0.1, 42)
    assert (len(train), len(validation)) == (270, 30)
    assert sorted([*train, *validation], key=lambda row: row.line) == rows
    for half in (train, validation):
        assert [row.line for row in half] == sorted(row.line for row in half)
    assert validation != rows[-30:]


def test_the_split_depends_on_nothing_but_the_seed() -> None:
    rows = make_rows(50)
    assert split_rows(rows, 0.1, 42) == split_rows(rows, 0.1, 42)
    assert split_rows(rows, 0.1, 42) != split_rows(rows, 0.1, 43)
    assert [row.line for row in split_rows(rows, 0.1, 42)[1]] == [6, 21, 26, 40, 50]


@pytest.mark.parametrize(("count", "held_out"), [(0, 0), (1, 0), (2, 1), (10, 1), (11, 2), (70, 7)])
def test_the_held_out_share_is_rounded_up_but_leaves_a_row(count: int, held_out: int) -> None:
    train, validation = split_rows(make_rows(count), 0.1, 42)
    assert (len(train), len(validation)) == (count - held_out, held_out)


def test_prompts_over_the_limit_are_dropped_and_told() -> None:
    rows = make_rows(4)
    kept, dropped = drop_long(rows, lambda row: row.line, 2)
    assert (kept, dropped) == (rows[:2], rows[2:])


def test_a_key_that_comes_again_after_a_hundred_thousand_others_is_found(tmp_path: Path) -> None:
    keys = ",".join(f'"k{number}":1' for number in range(100_000))
    file = tmp_path / "rows.jsonl"
    file.write_text("{" + keys + ',"k99999":2}\n')
    with pytest.raises(DataError, match="'k99999' twice"):
        list(read_rows(file))
