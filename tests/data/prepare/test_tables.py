from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.data.prepare.tables import read_table, source_of
from bedrock_rft_sim.errors import DataError


def rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    return [(row.line, row.record) for row in read_table(str(path))]


def test_csv_keeps_text_and_the_line_where_a_row_starts(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('\ufeffq,a\n"Two\nlines, one cell",007\n"say ""hi""",\nlast,NaN\n')
    assert rows(path) == [
        (2, {"q": "Two\nlines, one cell", "a": "007"}),
        (4, {"q": 'say "hi"', "a": ""}),
        (5, {"q": "last", "a": "NaN"}),
    ]


def test_tsv_is_cut_at_tabs(tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_text("q\ta\n1,2\t3\n")
    assert rows(path) == [(2, {"q": "1,2", "a": "3"})]


@pytest.mark.parametrize("content", ["q,a\n1,2\n3\n", "q,a\n1,2\n3,4,5\n"])
def test_a_row_with_too_few_or_too_many_cells_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=r"x.csv:3: .*\n  expected: 2 cells\n  found: [13]"):
        rows(path)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.csv", b'q,a\n"open,2\n', "x.csv:"),
        ("x.csv", b"q,a\n\xff,2\n", "x.csv:"),
        ("x.json", b'[{"a": 1},\n{"a": }]', "x.json:2"),
        ("x.json", b'{"a": 1}', "found: dict"),
        ("x.json", b"[1]", "int as record 1"),
        ("x.json", b"\xff", "x.json"),
        ("x.json", b"[" * 200_000, "x.json"),
        ("x.jsonl", b'{"a": 1}\n[]\n', "x.jsonl:2"),
        ("x.parquet", b"not parquet", "x.parquet"),
        ("x.xlsx", b"", "a file called x.xlsx"),
    ],
)
def test_what_can_t_be_read_is_one_error(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        rows(path)
    assert words in str(caught.value)
    assert "next:" in str(caught.value)


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "parquet"])
def test_a_missing_file_is_an_error(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(DataError, match=r"can't (be )?read"):
        rows(tmp_path / f"none.{suffix}")


def test_a_json_list_is_read_by_number(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('[{"a": 1}, {"a": [2]}]')
    assert rows(path) == [(1, {"a": 1}), (2, {"a": [2]})]


def test_parquet_keeps_types_and_nested_values(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    given = [{"q": "a", "n": 1, "list": [{"x": "y"}]}, {"q": None, "n": 2, "list": []}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(given), tmp_path / "x.parquet")
    assert rows(tmp_path / "x.parquet") == [(1, given[0]), (2, given[1])]


@pytest.mark.parametrize("name", ["hf://", "hf://owner", "hf://a/b/c/d", "hf://a//b"])
def test_a_hub_name_that_is_none_is_refused_before_the_network(name: str) -> None:
    with pytest.raises(DataError, match="hf://OWNER/NAME"):
        list(read_table(name))


def test_a_hub_dataset_without_a_network_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked: list[Any] = []

    def load(*given: str, **named: Any) -> Any:
        asked.append((given, named))
        raise ConnectionError("no network\nand more")

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(DataError, match="hf://a/b/main: the data can't be read") as caught:
        list(read_table("hf://a/b/main", split="test"))
    assert "found: no network\n" in str(caught.value)
    assert asked == [(("a/b", "main"), {"streaming": True, "split": "test"})]
    assert source_of("hf://a/b") == "hf://a/b"
    assert source_of("b.csv") == Path("b.csv")


cells = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5)


@given(table=st.lists(st.tuples(cells, cells), min_size=1, max_size=5))
def test_csv_as_python_writes_it_is_read_back(
    table: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("a", "b"), *table])
    read = [(record["a"], record["b"]) for _, record in rows(path)]
    assert json.dumps(read) == json.dumps(table)
