"""More rows out of rows: lineage, verification, and the real GSM8K."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.data import row_from_record
from bedrock_rft_sim.data.prepare.augment import (
    KINDS,
    Augmentation,
    Tally,
    augment,
    augment_file,
    survey,
)
from bedrock_rft_sim.data.prepare.paraphrase import FRAMES
from bedrock_rft_sim.data.prepare.rows import DataRow, read
from bedrock_rft_sim.data.problems import generate, to_record
from tests.data.prepare.recomputed import mistakes

SHAPES = ("nova", "open-weight")


def rows_of(count: int, shape: Any) -> list[DataRow]:
    problems = generate(count, seed=1)
    return [DataRow(line, to_record(each, shape=shape)) for line, each in enumerate(problems, 1)]


def made(
    rows: list[DataRow], kinds: tuple[Augmentation, ...] = KINDS, copies: int = 1, seed: int = 0
) -> tuple[list[dict[str, Any]], dict[Augmentation, Tally]]:
    tallies: dict[Augmentation, Tally] = {}
    records = augment(
        rows, kinds=kinds, copies=copies, seed=seed, taken=survey(rows), tallies=tallies
    )
    return list(records), tallies


def children(records: list[dict[str, Any]], kind: Augmentation) -> list[dict[str, Any]]:
    return [record for record in records if record.get("augmentation") == kind]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_new_row_names_its_parent_and_has_an_id_of_its_own(shape: str) -> None:
    rows = rows_of(48, shape)
    records, tallies = made(rows, copies=2)
    ids = [record["id"] for record in records]
    assert len(set(ids)) == len(ids)
    assert [r for r in records if "parent_id" not in r] == [row.record for row in rows]
    for record in records:
        row_from_record(record, source="made", line=1)
        if "parent_id" in record:
            assert record["id"].startswith(f"{record['parent_id']}-{record['augmentation']}-")
    assert {kind: tally.made for kind, tally in tallies.items()} == {
        kind: len(children(records, kind)) for kind in KINDS
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_new_numbers_come_with_the_right_answer_in_every_place(shape: str) -> None:
    records, tallies = made(rows_of(80, shape), ("renumber",))
    found = children(records, "renumber")
    parents = {record["id"]: record for record in records if "parent_id" not in record}
    assert len(found) > 40
    assert tallies["renumber"].parents + sum(tallies["renumber"].reasons.values()) == 80
    for record in found:
        assert list(mistakes(record, parents[record["parent_id"]])) == []
        if shape == "nova":
            solution = record["original_answer"].splitlines()
            assert solution[:-1] == record["reference_answer"]["steps"]
            assert record["original_question"] in record["messages"][-1]["content"]
            assert record["task_id"] == record["id"]


def test_the_instruction_that_the_reward_needs_stays_word_for_word() -> None:
    records, _ = made(rows_of(32, "nova"))
    assert all('"####"' in record["messages"][-1]["content"] for record in records)


def test_other_names_change_question_and_solution_alike_and_no_number() -> None:
    record = {
        "id": "a",
        "messages": [{"role": "user", "content": "Sarah has 12 marbles and Tom's dog 3. Total?"}],
        "reference_answer": "Sarah has 12+3=<<12+3=15>>15 marbles.\n#### 15",
    }
    records, _ = made([DataRow(1, record)], ("rename",))
    (child,) = children(records, "rename")
    asked, solved = child["messages"][0]["content"], child["reference_answer"]
    name = asked.split()[0]
    thing = re.search(r"12 (\w+)", asked)
    assert name != "Sarah"
    assert thing is not None
    assert thing[1] != "marbles"
    assert solved == f"{name} has 12+3=<<12+3=15>>15 {thing[1]}.\n#### 15"
    assert "Tom's dog 3" in asked


@pytest.mark.parametrize(
    "question",
    [
        "Sarah Connor has 12. Total?",
        "Dr. Sarah has 12. Total?",
        "Sarah and Sara have 12. Total?",
        "How many letters has Sarah's name, and 12? Total?",
        "Mark, May and Rose have 12. Total?",
        "She went to Sarah's Bakery with 12. Total?",
    ],
)
def test_a_name_that_may_be_more_than_a_name_stays(question: str) -> None:
    record = {
        "id": "a",
        "messages": [{"role": "user", "content": question}],
        "reference_answer": "<<12+3=15>>15\n#### 15",
    }
    records, tallies = made([DataRow(1, record)], ("rename",))
    assert len(records) == 1
    assert sum(tallies["rename"].reasons.values()) == 1


def test_a_frame_holds_the_question_word_for_word_and_no_forbidden_text() -> None:
    rows = rows_of(8, "nova")
    records, _ = made(rows, ("paraphrase",), copies=len(FRAMES) + 3)
    assert len(children(records, "paraphrase")) == len(FRAMES) * 8
    of_id = {row.record["id"]: row.record for row in rows}
    for child in children(records, "paraphrase"):
        parent = of_id[child["parent_id"]]
        assert parent["messages"][-1]["content"] in child["messages"][-1]["content"]
        assert child["reference_answer"] == parent["reference_answer"]
    assert not any(re.search(r"(?i)(system|user|bot|assistant):", frame) for frame in FRAMES)


def test_a_child_of_a_child_belongs_to_the_root() -> None:
    records, _ = made(rows_of(16, "nova"), ("renumber",))
    again = [DataRow(line, record) for line, record in enumerate(records, 1)]
    twice, _ = made(again, ("rename", "paraphrase"))
    roots = {row.record["id"] for row in rows_of(16, "nova")}
    assert {record["parent_id"] for record in twice if "parent_id" in record} <= roots
    assert len({record["id"] for record in twice}) == len(twice)


def test_a_row_yields_the_same_whatever_stands_around_it() -> None:
    rows = rows_of(20, "nova")
    whole, _ = made(rows, ("renumber",))
    half, _ = made(rows[10:], ("renumber",))
    assert [r for r in whole if r in half] == half
    assert made(rows, seed=1)[0] != made(rows, seed=0)[0]


def test_a_reference_that_contradicts_itself_has_no_children() -> None:
    record = {
        "id": "a",
        "messages": [{"role": "user", "content": "Ann has 25 pens and 9 cups. Total?"}],
        "reference_answer": "25+9 = 25 or <<25+9=34>>34\n#### 34",
    }
    _, tallies = made([DataRow(1, record)], ("renumber",))
    assert tallies["renumber"].reasons == {"the reference contradicts itself": 1}


def test_two_answers_in_one_record_have_no_children() -> None:
    record = {
        "id": "a",
        "messages": [{"role": "user", "content": "Ann has 25 pens and 9 cups. Total?"}],
        "reference_answer": "<<25+9=34>>34\n#### 34",
        "ground_truth": "35",
    }
    _, tallies = made([DataRow(1, record)], ("renumber",))
    assert tallies["renumber"].made == 0


def test_a_row_without_an_id_gets_the_one_that_its_line_gives_it() -> None:
    record = {"messages": [{"role": "user", "content": "Hello?"}], "reference_answer": "Hi"}
    records, _ = made([DataRow(7, record)], ("paraphrase",))
    assert [r["id"] for r in records] == ["row-000007", "row-000007-paraphrase-1"]


def test_the_manifest_says_what_came_of_each_row(tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    with source.open("w") as file:
        for row in rows_of(24, "open-weight"):
            file.write(json.dumps(row.record) + "\n")
    output = augment_file(source, tmp_path / "more.jsonl", kinds=KINDS, copies=1, seed=3)
    manifest = output.manifest()
    told = manifest["notes"]["augmented"]
    assert manifest["rows"]["in"] == 24
    assert manifest["rows"]["out"] == 24 + sum(tally["made"] for tally in told.values())
    assert len(list(read(tmp_path / "more.jsonl"))) == manifest["rows"]["out"]


def gsm8k_rows(folder: Path, count: int) -> list[DataRow]:
    lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = []
    for line in sorted(random.Random(0).sample(range(1, len(lines) + 1), count)):
        row = json.loads(lines[line - 1])
        user = {"role": "user", "content": row["question"]}
        record = {"id": f"g{line}", "messages": [user], "reference_answer": row["answer"]}
        rows.append(DataRow(line, record))
    return rows


@pytest.mark.slow
def test_new_problems_from_gsm8k_have_no_wrong_answer(
    gsm8k_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # 600 of the 7,473 rows; `python tests/data/prepare/recomputed.py` does it for a whole file.
    rows = gsm8k_rows(gsm8k_folder, 600)
    records, tallies = made(rows, ("renumber",), seed=42)
    parents = {row.record["id"]: row.record for row in rows}
    new = children(records, "renumber")
    wrong = [(r["id"], each) for r in new for each in mistakes(r, parents[r["parent_id"]])]
    assert wrong == []
    tally = tallies["renumber"]
    assert len(new) == tally.made == tally.parents
    assert tally.made + sum(tally.reasons.values()) == 600
    assert tally.made / 600 > 0.35  # 0.407 of the whole file
    with capsys.disabled():
        print(f"\nnot executable: {1 - tally.made / 600:.1%}", dict(tally.reasons.most_common()))
