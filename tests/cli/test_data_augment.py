"""`rft data augment` as a user meets it, and what all four operations do with damage and kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bedrock_rft_sim.cli import main
from bedrock_rft_sim.data.problems import generate, to_record
from tests.data.prepare.recomputed import mistakes, renumbered_rows

OPERATIONS = {
    "clean": ("--no-near",),
    "balance": ("--by", "id", "--cap", "1"),
    "augment": ("--rename", "--paraphrase"),
    "split": (),
}
MALFORMED: dict[str, bytes] = {
    "not UTF-8": b'{"a": "\xff"}',
    "a blank line": b"",
    "a NUL byte": b'{"a": "\x00"}',
    "the key 'a' twice": b'{"a": 1, "a": 2}',
    "nested too deeply": b'{"a": ' + b"[" * 100_000,
    "too long": b'{"a": "' + b"x" * 10_000_000 + b'"}',
    "not JSON": b'{"a": ',
}


def rft(*words: object) -> int:
    return main(["data", *map(str, words)])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a file of forty built-in problems."""
    path = tmp_path / "in.jsonl"
    problems = generate(40, seed=2)
    path.write_text("".join(json.dumps(to_record(each, shape="nova")) + "\n" for each in problems))
    return path


def test_new_problems_are_written_behind_their_parents(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = source.with_name("out.jsonl")
    assert rft("augment", source, "--renumber", "-o", out) == 0
    printed = capsys.readouterr().out
    pairs = list(renumbered_rows(out))
    assert len(pairs) > 15
    assert [list(mistakes(*pair)) for pair in pairs] == [[]] * len(pairs)
    assert f"{out}  {40 + len(pairs)} records: 40 given, {len(pairs)} new" in printed
    assert f"renumber: {len(pairs)} new rows, all verified, from {len(pairs)} of 40" in printed


def test_why_rows_gave_nothing_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    asked = [{"role": "user", "content": "Tom has 5 and 9. How many?"}]
    made = {"id": "a", "messages": asked, "reference_answer": "So 14.\n#### 14"}
    source.write_text(json.dumps(made) + "\n")
    assert rft("augment", source, "--renumber", "-o", out) == 0
    assert "1 (100 %)  the solution has no calculator marks" in capsys.readouterr().out


def test_kinds_copies_and_seed_are_in_the_json(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = source.with_name("out.jsonl")
    words = ("--paraphrase", "--rename", "--copies", 2, "--seed", 7, "--json", "-o", out)
    assert rft("augment", source, *words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads(Path(f"{out}.manifest.json").read_text())
    assert told["parameters"] == {"kinds": ["rename", "paraphrase"], "copies": 2}
    assert told["seed"] == 7
    assert told["notes"]["augmented"]["paraphrase"]["made"] == 80


@pytest.mark.parametrize("words", [(), ("--renumber", "--copies", "0"), ("--renumber",)])
def test_no_kind_no_copies_and_no_output_are_usage_errors(
    words: tuple[str, ...], source: Path
) -> None:
    out = () if words == ("--renumber",) else ("-o", source.with_name("out.jsonl"))
    with pytest.raises(SystemExit) as exit_:
        rft("augment", source, *words, *out)
    assert exit_.value.code == 2


def test_a_file_is_replaced_with_force_only(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = source.with_name("out.jsonl")
    out.write_text("precious")
    assert rft("augment", source, "--paraphrase", "-o", out) == 2
    assert "exists already" in capsys.readouterr().err
    assert out.read_text() == "precious"
    assert rft("augment", source, "--paraphrase", "-o", out, "--force") == 0


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("words", "line"), MALFORMED.items(), ids=list(MALFORMED))
def test_a_malformed_line_is_one_message_with_file_and_line_and_no_output(
    operation: str, words: str, line: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [{"role": "user", "content": "How many?"}]
    good = json.dumps({"id": "a", "messages": asked, "reference_answer": "7"}).encode()
    source, out = tmp_path / "rows.jsonl", tmp_path / "out" / "made.jsonl"
    source.write_bytes(b"\n".join([good, line, good]) + b"\n")
    assert rft(operation, source, "-o", out, *OPERATIONS[operation]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("rft: ") == 1
    assert words in printed.err
    assert "rows.jsonl:2" in printed.err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [source]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_killed_operation_leaves_no_file_that_looks_finished(
    operation: str, tmp_path: Path
) -> None:
    source, out = tmp_path / "rows.jsonl", tmp_path / "out" / "made.jsonl"
    asked = '"messages": [{"role": "user", "content": "How many? '
    with source.open("w") as file:
        for number in range(60_000):
            file.write(f'{{"id": "r{number}", {asked}{number}"}}], "reference_answer": "7"}}\n')
    words = [operation, str(source), "-o", str(out), *OPERATIONS[operation]]
    child = subprocess.Popen([sys.executable, "-m", "bedrock_rft_sim", "data", *words])
    with child:
        while child.poll() is None and not list(out.parent.rglob(".*.tmp")):
            time.sleep(0.005)
        os.kill(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    left = [path.name for path in out.parent.rglob("*") if path.is_file()]
    assert left
    assert all(name.startswith(".") and name.endswith(".tmp") for name in left)
