"""Splits: seeded, stratified, and no family torn apart."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.data.prepare.output import manifest_path
from bedrock_rft_sim.data.prepare.rows import DataRow, read
from bedrock_rft_sim.data.prepare.split import assign, split_file
from bedrock_rft_sim.errors import DataError

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def row(line: int, question: str | None = None, **more: Any) -> DataRow:
    asked = [{"role": "user", "content": question or f"What is {line} + 1?"}]
    return DataRow(line, {"id": f"r{line}", "messages": asked, "reference_answer": "x", **more})


def write(path: Path, rows: list[DataRow]) -> Path:
    path.write_text("".join(json.dumps(each.record) + "\n" for each in rows))
    return path


def test_the_parts_have_their_shares_and_the_seed_decides_who_is_where() -> None:
    rows = [row(line) for line in range(1, 201)]
    parts = assign(rows, SHARES, seed=0)
    assert Counter(parts.values()) == {"train": 160, "validation": 20, "test": 20}
    assert assign(rows, SHARES, seed=0) == parts
    assert assign(rows, SHARES, seed=1) != parts


def test_where_a_row_goes_does_not_hang_on_the_order_of_the_file() -> None:
    rows = [row(line) for line in range(1, 51)]
    parts = assign(rows, SHARES, seed=0)
    assert assign(rows[::-1], SHARES, seed=0) == parts


def test_every_class_has_the_same_proportions_in_every_part() -> None:
    rows = [row(line, domain="rare" if line % 10 == 0 else "often") for line in range(1, 201)]
    parts = assign(rows, SHARES, seed=0, by=["domain"])
    counts = Counter((parts[each.line], each.record["domain"]) for each in rows)
    assert counts["train", "rare"] == 16
    assert counts["validation", "rare"] == counts["test", "rare"] == 2
    assert counts["validation", "often"] == counts["test", "often"] == 18


def test_small_classes_do_not_all_fall_to_the_largest_part() -> None:
    rows = [row(line, domain=f"d{line // 2}") for line in range(100)]
    assert Counter(assign(rows, SHARES, seed=0, by=["domain"]).values()) == {
        "train": 80,
        "validation": 10,
        "test": 10,
    }


families = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(1, 12)), st.integers(0, 8)), min_size=2, max_size=30
)


@given(families, st.integers(0, 3))
def test_no_family_and_no_question_stands_in_two_parts(
    made: list[tuple[int | None, int]], seed: int
) -> None:
    rows = [
        row(line, f"Question  {asked}", **({} if parent is None else {"parent_id": f"r{parent}"}))
        for line, (parent, asked) in enumerate(made, 1)
    ]
    parts = assign(rows, {"a": 0.5, "b": 0.5}, seed=seed)
    assert sorted(parts) == [each.line for each in rows]
    for key in ("root", "question"):
        seen: dict[str, str] = {}
        for each in rows:
            root = each.record.get("parent_id", each.record["id"])
            name = root if key == "root" else each.record["messages"][0]["content"]
            assert seen.setdefault(name, parts[each.line]) == parts[each.line]


def test_each_part_is_a_file_with_a_manifest(tmp_path: Path) -> None:
    rows = [row(line) for line in range(1, 21)]
    del rows[4].record["id"]
    source = write(tmp_path / "in.jsonl", rows)
    split_file(source, tmp_path / "out", shares=SHARES, seed=7)
    written = {part: list(read(tmp_path / "out" / f"{part}.jsonl")) for part in SHARES}
    ids = [each.record["id"] for part in written.values() for each in part]
    assert sorted(ids) == sorted(each.record.get("id", "row-000005") for each in rows)
    manifest = json.loads(manifest_path(tmp_path / "out" / "test.jsonl").read_text())
    assert manifest["operation"] == "split"
    assert manifest["seed"] == 7
    assert manifest["parameters"] == {"shares": SHARES, "part": "test", "by": []}
    assert manifest["rows"] == {"in": 2, "out": 2, "dropped": 0}


def test_a_part_that_would_be_empty_is_an_error_and_nothing_is_written(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [row(1), row(2, parent_id="r1"), row(3, parent_id="r1")])
    with pytest.raises(DataError, match="would be empty") as error:
        split_file(source, tmp_path / "out", shares=SHARES, seed=0)
    assert "3 rows" in str(error.value)
    assert not (tmp_path / "out").exists()


def test_an_unknown_key_is_an_error_that_names_those_there_are(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [row(line) for line in range(1, 21)])
    with pytest.raises(DataError, match="no row has the key 'domain'") as error:
        split_file(source, tmp_path / "out", shares=SHARES, seed=0, by=["domain"])
    assert "reference_answer" in str(error.value)
    assert not (tmp_path / "out").exists()
