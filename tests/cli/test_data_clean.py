"""`rft data clean` as a user meets it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.cli import main


def rft(*words: object) -> int:
    return main(["data", "clean", *map(str, words)])


def record(name: str, question: str, answer: str = "#### 5") -> dict[str, Any]:
    asked = [{"role": "user", "content": question}]
    return {"id": name, "messages": asked, "reference_answer": answer}


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in records))
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a file with one of everything."""
    return write(
        tmp_path / "in.jsonl",
        [
            record("a", "How many?"),
            record("b", "how  many?"),
            record("c", "Which?", "#### 6"),
            record("d", "Which?", "#### 7"),
            record("e", "Sum?", "<<2+2=5>>5\n#### 5"),
            record("f", "Leak? The answer is 9.", "#### 9"),
            record("g", "Odd?", "<<x=5>>5\n#### 5"),
            record("h", "Overlap?"),
        ],
    )


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Return a file with a question of the first."""
    return write(tmp_path / "test.jsonl", [record("z", "overlap?")])


def ids(path: Path) -> str:
    return "".join(json.loads(line)["id"] for line in path.read_text().splitlines())


def test_without_an_output_the_findings_are_told_and_the_exit_code_says_so(
    source: Path, other: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rft(source, "--against", other, "--no-near") == 1
    printed = capsys.readouterr().out
    assert f"  {source}:2 <-> {source}:1 (1.00)  the same question with the same answer" in printed
    assert f"  {source}:4 <-> {source}:3 (1.00)  the same question with another answer" in printed
    assert f"  {source}:5  mark: 2+2 = 4, the mark says 5" in printed
    assert f"  {source}:6  the prompt says 'answer is 9'" in printed
    assert f"  {source}:8 <-> {other}:1 (1.00)  the same question with the same answer" in printed
    assert sorted(path.name for path in source.parent.iterdir()) == ["in.jsonl", "test.jsonl"]


def test_a_clean_file_is_exit_code_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "in.jsonl", [record("a", "One?"), record("b", "Two?")])
    assert rft(source, "--no-near", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "rows": 2,
        "found": {},
        "remarks": [],
        "unusable": {"count": 0, "first": ""},
    }


def test_rows_that_the_check_refuses_are_counted_with_the_first_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [record("a", "One?"), {"id": "b", "reference_answer": "1"}, record("c", "Two?")]
    rows.append({"id": "d", "messages": [{"role": "user"}], "reference_answer": "2"})
    source = write(tmp_path / "in.jsonl", rows)
    words = "2 rows can't be trained on (the first is line 2: the record has no messages): rft data"
    assert rft(source, "--no-near") == 0
    assert words in capsys.readouterr().out
    out = tmp_path / "out.jsonl"
    assert rft(source, "--no-near", "-o", out) == 0
    assert words in capsys.readouterr().out
    manifest = json.loads(out.with_name("out.jsonl.manifest.json").read_text())
    assert manifest["unusable"]["count"] == 2
    parts = ["--parts", "a=0.5,b=0.5", "-o", str(tmp_path / "parts")]
    assert main(["data", "split", str(out), *parts]) == 0
    assert "can't be trained on" in capsys.readouterr().out
    assert main(["data", "check", str(out)]) == 1


@pytest.mark.parametrize(
    ("drops", "stay"),
    [
        ([], "acdefgh"),
        (["nothing"], "abcdefgh"),
        (["contradiction"], "abefgh"),
        (["mislabelled"], "abcdfgh"),
        (["leak"], "abcdegh"),
        (["not-executable"], "abcdefh"),
        (["overlap"], "abcdefg"),
        (["exact", "contradiction", "mislabelled", "leak", "not-executable", "overlap"], "a"),
    ],
)
def test_what_is_dropped_is_the_user_s_choice(
    drops: list[str], stay: str, source: Path, other: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = source.with_name("out.jsonl")
    words = [word for kind in drops for word in ("--drop", kind)]
    assert rft(source, "-o", out, "--against", other, "--no-near", "--json", *words) == 0
    assert ids(out) == stay
    manifest = json.loads(capsys.readouterr().out)
    assert manifest["rows"] == {"in": 8, "out": len(stay), "dropped": 8 - len(stay)}
    assert sum(drop["count"] for drop in manifest["drops"]) == 8 - len(stay)


def test_the_last_of_the_duplicates_stays_when_asked(source: Path) -> None:
    out = source.with_name("out.jsonl")
    assert rft(source, "-o", out, "--keep", "last", "--no-near") == 0
    assert ids(out) == "bcdefgh"


def test_a_file_is_replaced_with_force_only(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = source.with_name("out.jsonl")
    out.write_text("precious")
    assert rft(source, "-o", out, "--no-near") == 2
    assert "exists already" in capsys.readouterr().err
    assert out.read_text() == "precious"
    assert rft(source, "-o", out, "--no-near", "--force") == 0
    assert ids(out) == "acdefgh"


def test_the_input_is_never_the_output(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = source.read_bytes()
    assert rft(source, "-o", source, "--force", "--no-near") == 2
    assert "the output is one of the inputs" in capsys.readouterr().err
    assert source.read_bytes() == before


@pytest.mark.parametrize("threshold", ["0", "1.5", "-1", "nan", "x"])
def test_a_threshold_outside_its_range_is_a_usage_error(threshold: str, source: Path) -> None:
    with pytest.raises(SystemExit) as exit_:
        rft(source, "--threshold", threshold)
    assert exit_.value.code == 2


def test_without_datasketch_one_message_says_how_to_install_it(
    source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "datasketch", None)
    assert rft(source, "-o", source.with_name("out.jsonl")) == 2
    error = capsys.readouterr().err
    assert error.count("rft: ") == 1
    assert "pip install 'bedrock-rft-sim[data]'" in error
    assert "--no-near" in error
    assert [path.name for path in source.parent.iterdir()] == ["in.jsonl"]
