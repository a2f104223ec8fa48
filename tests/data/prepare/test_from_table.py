from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.data.prepare.from_table import columns_from, convert
from bedrock_rft_sim.data.prepare.output import DataOutput
from bedrock_rft_sim.data.prepare.rows import read
from bedrock_rft_sim.errors import DataError, RecipeError

COLUMNS = columns_from(["messages=q", "reference_answer=a"])


def write_json(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def converted(
    source: str, out: Path, columns: dict[str, str] = COLUMNS, **options: Any
) -> DataOutput:
    return convert(source, out, columns=columns, **options)


def records(output: DataOutput) -> list[dict[str, Any]]:
    return [row.record for row in read(output.path)]


def test_columns_become_keys_and_ids_come_from_the_line(tmp_path: Path) -> None:
    source = tmp_path / "sums.csv"
    source.write_text("q,a,kind\nWhat is 3 + 4?,7,sum\n")
    columns = columns_from(["messages=q", "reference_answer=a", "domain=kind"])
    output = converted(str(source), tmp_path / "out.jsonl", columns, system="Be brief.")
    assert records(output) == [
        {
            "id": "sums-000002",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "What is 3 + 4?"},
            ],
            "reference_answer": "7",
            "domain": "sum",
        }
    ]
    assert output.manifest()["parameters"]["map"]["domain"] == "kind"


def test_a_template_may_name_any_column(tmp_path: Path) -> None:
    source = write_json(tmp_path / "in.jsonl", [{"q": "How far?", "unit": "km", "a": 7}])
    text = "{question} In {unit}: \\boxed{}"
    output = converted(source, tmp_path / "out.jsonl", template_text=text)
    (made,) = records(output)
    assert made["messages"][0]["content"] == "How far? In km: \\boxed{}"
    assert made["reference_answer"] == "7"


def test_a_dotted_target_builds_an_object_and_ids_can_be_mapped(tmp_path: Path) -> None:
    source = write_json(tmp_path / "in.jsonl", [{"n": 5, "q": "Q", "a": "7", "w": ["x"]}])
    words = ["messages=q", "id=n", "reference_answer.final_answer=a", "reference_answer.steps=w"]
    (made,) = records(converted(source, tmp_path / "out.jsonl", columns_from(words)))
    assert made["id"] == "5"
    assert made["reference_answer"] == {"final_answer": "7", "steps": ["x"]}


@pytest.mark.parametrize(
    ("column", "found"),
    [
        ("reward_model.ground_truth", "7"),
        ("extra.answers.1", "8"),
        ("flat.name", "9"),
        ("extra.deep.er", "10"),
    ],
)
def test_a_dotted_column_looks_into_objects_and_lists(
    tmp_path: Path, column: str, found: str
) -> None:
    row = {
        "prompt": [{"role": "user", "content": "Q"}],
        "reward_model": {"style": "rule", "ground_truth": "7"},
        "extra": {"answers": ["no", 8], "deep": {"er": "10"}},
        "flat.name": "9",
        "flat": {"name": "the column of that very name comes first"},
    }
    columns = columns_from(["messages=prompt", f"reference_answer={column}"])
    source = write_json(tmp_path / "in.jsonl", [row])
    (made,) = records(converted(source, tmp_path / "out.jsonl", columns))
    assert made["reference_answer"] == found


def test_a_dotted_column_into_nothing_is_an_empty_cell(tmp_path: Path) -> None:
    rows = [{"q": "Q", "r": {"a": "7"}}, {"q": "Q", "r": None}]
    columns = columns_from(["messages=q", "reference_answer=r.a"])
    output = converted(write_json(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl", columns)
    assert output.manifest()["rows"] == {"in": 2, "out": 1, "dropped": 1}


@pytest.mark.parametrize("column", ["r.answer", "r.a.b", "r.w.2", "q.a", "x.a"])
def test_a_dotted_column_that_is_not_there_lists_what_is(tmp_path: Path, column: str) -> None:
    source = write_json(tmp_path / "in.jsonl", [{"q": "Q", "r": {"a": "7", "w": ["x"]}}])
    with pytest.raises(DataError, match=rf"no column '{column}'[\s\S]*columns q, r \(a, w\)"):
        converted(source, tmp_path / "o.jsonl", columns_from(["messages=q", f"id={column}"]))


def test_messages_that_are_there_already_are_kept(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "Q"}]
    source = write_json(tmp_path / "in.jsonl", [{"q": messages, "a": {"x": 1}}])
    (made,) = records(converted(source, tmp_path / "out.jsonl"))
    assert made["messages"] == messages
    assert made["reference_answer"] == {"x": 1}


def test_a_cell_with_parts_is_written_as_json(tmp_path: Path) -> None:
    source = write_json(tmp_path / "in.jsonl", [{"q": {"text": "Q"}, "a": ["é", True]}])
    (made,) = records(converted(source, tmp_path / "out.jsonl"))
    assert made["messages"][0]["content"] == '{"text": "Q"}'
    assert made["reference_answer"] == '["é", true]'


def test_a_row_that_gives_no_usable_record_is_left_out_with_its_line(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"q": "Fine?", "a": "7", "n": "x"},
        {"q": " ", "a": "7", "n": "y"},
        {"q": "No answer?", "a": "", "n": "z"},
        {"q": None, "a": "7", "n": "u"},
        {"q": "The same id?", "a": "7", "n": "x"},
        {"q": [{"role": "assistant", "content": "x"}], "a": "7", "n": "v"},
    ]
    columns = columns_from(["messages=q", "reference_answer=a", "id=n"])
    output = converted(write_json(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl", columns)
    assert [record["id"] for record in records(output)] == ["x"]
    assert {drop["reason"]: drop["lines"] for drop in output.manifest()["drops"]} == {
        "the record has no messages": [2, 4],
        "reference_answer can't be used": [3],
        "the id is not unique": [5],
        "there is no user message": [6],
    }
    assert output.manifest()["rows"] == {"in": 6, "out": 1, "dropped": 5}


def test_a_missing_column_is_one_error_that_lists_the_columns(tmp_path: Path) -> None:
    source = write_json(tmp_path / "in.jsonl", [{"q": "Q", "a": "7"}, {"q": "Q", "answer": "7"}])
    with pytest.raises(DataError, match=r"in.jsonl:2: there is no column 'a'\n.*\n.*q, answer"):
        converted(source, tmp_path / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_count_takes_the_first_rows(tmp_path: Path) -> None:
    rows = [{"q": f"{n}?", "a": "7"} for n in range(5)]
    output = converted(write_json(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl", count=2)
    assert output.manifest()["rows"] == {"in": 2, "out": 2, "dropped": 0}


def test_a_template_without_a_place_is_an_error(tmp_path: Path) -> None:
    source = write_json(tmp_path / "in.jsonl", [{"q": "Q", "a": "7"}])
    with pytest.raises(RecipeError, match="--template"):
        converted(source, tmp_path / "out.jsonl", template_text="boxd")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["reference_answer=a"],
        ["messages"],
        ["messages="],
        ["=q"],
        ["messages=q", "messages=r"],
        ["messages=q", "reference_answer=a", "reference_answer.x=b"],
        ["messages=q", "reference_answer.x=b", "reference_answer=a"],
    ],
)
def test_a_mapping_that_says_nothing_clear_is_refused(words: list[str]) -> None:
    with pytest.raises(RecipeError, match="--map"):
        columns_from(words)
