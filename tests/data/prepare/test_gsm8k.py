from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.data.prepare.audit import audit
from bedrock_rft_sim.data.prepare.gsm8k import SPLITS, GSM8KSplit, convert, record
from bedrock_rft_sim.data.prepare.output import DataOutput
from bedrock_rft_sim.data.prepare.rows import DataRow, read, reference_text
from bedrock_rft_sim.data.prepare.template import Template, template
from bedrock_rft_sim.data.shapes import SHAPES
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.recipe.dialects import RecordShape

PLAIN = Template("{question}")
ANSWER = "Tom has 3+4=<<3+4=7>>7.\nHe gets 1,000 more: <<7+1000=1007>>1007.\n#### 1,007"


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """Return a folder like the official one, with made-up rows."""
    folder = tmp_path / "official"
    folder.mkdir()
    for name, count in (("train", 40), ("test", 3)):
        rows = [{"question": f"{name} {n}?", "answer": f"so\n#### {n}"} for n in range(count)]
        write(folder / f"{name}.jsonl", rows)
    return folder


def converted(source: Path, out: Path, **options: Any) -> tuple[DataOutput, ...]:
    given = {"shape": "nova", "split": "official", "template": PLAIN, **options}
    return convert(str(source), out, **given)


def questions(path: Path) -> list[str]:
    return [row.record["messages"][-1]["content"] for row in read(path)]


def test_the_nova_shape_is_the_published_one() -> None:
    row = DataRow(1, {"question": "How many?", "answer": ANSWER})
    made = record(row, shape="nova", template=template("samples", fields=["question"]), id_="a_0")
    assert list(made) == [
        "id", "messages", "reference_answer", "task_id", "domain", "difficulty_level",
        "data_source", "original_question", "original_answer",
    ]  # fmt: skip
    assert [message["role"] for message in made["messages"]] == ["system", "user"]
    assert made["messages"][1]["content"] == (
        'How many? Let\'s think step by step and output the final answer after "####".'
    )
    assert made["reference_answer"] == {
        "final_answer": "1007",
        "steps": ["Tom has 3+4=<<3+4=7>>7.", "He gets 1,000 more: <<7+1000=1007>>1007."],
    }
    assert made["task_id"] == made["id"] == "gsm8k_a_0"
    assert (made["domain"], made["difficulty_level"]) == ("math", "grade_school")
    assert (made["original_question"], made["original_answer"]) == ("How many?", ANSWER)


def test_the_open_weight_shape_is_the_published_one() -> None:
    row = DataRow(1, {"question": "How many?", "answer": ANSWER})
    made = record(row, shape="open-weight", template=PLAIN, id_="a_0")
    assert made == {
        "id": "gsm8k_a_0",
        "messages": [{"role": "user", "content": "How many?"}],
        "reference_answer": ANSWER,
        "ground_truth": "1007",
        "data_source": "openai/gsm8k",
    }


@given(
    steps=st.lists(st.text("ab <>=", min_size=1).filter(lambda text: bool(text.strip()))),
    number=st.integers(-(10**9), 10**9),
)
def test_the_nova_reference_reads_as_the_official_answer(steps: list[str], number: int) -> None:
    answer = "\n".join([*steps, f"#### {number}"])
    row = DataRow(1, {"question": "How many?", "answer": answer})
    assert reference_text(record(row, shape="nova", template=PLAIN, id_="x")) == answer


def test_the_official_split_keeps_both_files_in_order(official: Path, tmp_path: Path) -> None:
    outputs = converted(official, tmp_path / "out")
    assert [output.path.name for output in outputs] == ["train.jsonl", "test.jsonl"]
    assert questions(tmp_path / "out" / "train.jsonl") == [f"train {n}?" for n in range(40)]
    assert questions(tmp_path / "out" / "test.jsonl") == ["test 0?", "test 1?", "test 2?"]
    assert [output.manifest()["rows"]["in"] for output in outputs] == [40, 3]
    assert [Path(o.manifest()["sources"][0]["name"]).name for o in outputs] == [
        "train.jsonl",
        "test.jsonl",
    ]


def test_80_10_10_takes_every_train_row_once(official: Path, tmp_path: Path) -> None:
    outputs = converted(official, tmp_path / "out", split="80/10/10")
    assert [output.path.name for output in outputs] == [
        "train.jsonl", "validation.jsonl", "test.jsonl",
    ]  # fmt: skip
    parts = [questions(output.path) for output in outputs]
    assert [len(part) for part in parts] == [32, 4, 4]
    assert sorted(question for part in parts for question in part) == sorted(
        f"train {n}?" for n in range(40)
    )
    assert parts[0] != sorted(parts[0])
    ids = [row.record["id"] for output in outputs for row in read(output.path)]
    assert len(set(ids)) == 40


def test_the_same_seed_gives_the_same_bytes(official: Path, tmp_path: Path) -> None:
    made = {
        name: converted(official, tmp_path / name, split="80/10/10", seed=seed)[0]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    }
    sums = {name: output.manifest()["output"]["sha256"] for name, output in made.items()}
    assert sums["a"] == sums["b"] != sums["c"]


def test_a_count_takes_so_many_of_each_official_file(official: Path, tmp_path: Path) -> None:
    outputs = converted(official, tmp_path / "a", count=2)
    assert [output.written for output in outputs] == [2, 2]
    outputs = converted(official, tmp_path / "b", count=10, split="80/10/10")
    assert [output.written for output in outputs] == [8, 1, 1]


def test_one_file_is_one_part(official: Path, tmp_path: Path) -> None:
    (output,) = converted(official / "test.jsonl", tmp_path / "out")
    assert output.path.name == "test.jsonl"


def test_parquet_gives_the_same_records(official: Path, tmp_path: Path) -> None:
    import pyarrow.json
    import pyarrow.parquet

    folder = tmp_path / "parquet"
    folder.mkdir()
    for name in ("train", "test"):
        table = pyarrow.json.read_json(official / f"{name}.jsonl")
        pyarrow.parquet.write_table(table, folder / f"{name}.parquet")
    for split in SPLITS:
        name = split.replace("/", "-")
        lines = converted(official, tmp_path / f"{name} lines", split=split)
        table = converted(folder, tmp_path / f"{name} table", split=split)
        assert [o.path.read_bytes() for o in lines] == [o.path.read_bytes() for o in table]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"question": "How many?"}, "found: keys question"),
        ({"question": "", "answer": "#### 1"}, "text under 'question'"),
        ({"question": "How many?", "answer": "seven"}, "found: 'seven'"),
        ({"question": "How many?", "answer": "#### seven"}, 'ends in "#### " and a number'),
        ({"question": ["x"], "answer": "#### 1"}, "text under 'question'"),
    ],
)
def test_a_row_that_is_not_gsm8k_is_one_error_and_leaves_nothing(
    official: Path, tmp_path: Path, row: dict[str, Any], words: str
) -> None:
    rows = [{"question": "Fine?", "answer": "#### 1"}, row]
    write(official / "test.jsonl", rows)
    with pytest.raises(DataError) as caught:
        converted(official, tmp_path / "out")
    assert "test.jsonl:2" in str(caught.value)
    assert words in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_missing_files_are_named(official: Path, tmp_path: Path) -> None:
    (official / "test.jsonl").unlink()
    with pytest.raises(DataError, match="no test file"):
        converted(official, tmp_path / "out")
    assert converted(official, tmp_path / "out", split="80/10/10")
    with pytest.raises(DataError, match="no such folder"):
        converted(tmp_path / "nowhere", tmp_path / "out2")


def test_nothing_is_written_where_one_of_the_files_exists(official: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "test.jsonl").write_text("precious")
    with pytest.raises(DataError, match="exists already"):
        converted(official, out)
    assert [path.name for path in out.iterdir()] == ["test.jsonl"]


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_real_gsm8k_keeps_every_rule_in_both_shapes(
    shape: RecordShape, split: GSM8KSplit, gsm8k_folder: Path, tmp_path: Path
) -> None:
    outputs = converted(gsm8k_folder, tmp_path, shape=shape, split=split)
    wanted = [7473, 1319] if split == "official" else [5978, 747, 748]
    assert [output.written for output in outputs] == wanted
    found = audit([output.path for output in outputs])
    assert found.ok
    assert {finding.rule.id for finding in found.findings} == {"tools-required"}


def test_80_10_10_of_320_is_the_split_of_the_published_notebook(
    gsm8k_folder: Path, tmp_path: Path
) -> None:
    train, validation, test = converted(gsm8k_folder, tmp_path, split="80/10/10", count=320)
    assert [train.written, validation.written, test.written] == [256, 32, 32]
    assert questions(train.path)[0].startswith("Mimi picked up 2 dozen seashells")
    assert questions(train.path)[1].startswith("Frankie's parents let him have many pets.")
    assert questions(validation.path)[0].startswith("Randy had some money.")
    assert questions(validation.path)[1].startswith("Four tires and one battery")
