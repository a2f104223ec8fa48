"""`rft data split` as a user meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.cli import main


def rft(*words: object) -> int:
    return main(["data", "split", *map(str, words)])


def counts(folder: Path) -> dict[str, int]:
    return {
        path.stem: len(path.read_text().splitlines()) for path in sorted(folder.glob("*.jsonl"))
    }


def test_one_file_becomes_several(
    write_rows: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The rows ask 35 different questions, and equal ones stay together.
    assert rft(write_rows(35), "-o", tmp_path / "out") == 0
    made = counts(tmp_path / "out")
    assert list(made) == ["test", "train", "validation"]
    assert sum(made.values()) == 35
    assert made["train"] == 28
    assert f"{tmp_path / 'out' / 'train.jsonl'}  28 records, 0 rows left out" in (
        capsys.readouterr().out
    )


def test_parts_seed_and_key_are_in_the_manifests(
    write_rows: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--parts", "a=0.5,b=0.5", "--by", "prompt_length", "--seed", 9, "--json")
    assert rft(write_rows(20), "-o", tmp_path / "out", *words) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["output"]["name"] for each in told] == ["a.jsonl", "b.jsonl"]
    assert {each["seed"] for each in told} == {9}
    assert told[0]["parameters"]["by"] == ["prompt_length"]
    assert counts(tmp_path / "out") == {"a": 10, "b": 10}


@pytest.mark.parametrize(
    "parts",
    ["a=0.5", "a=0.5,b=0.6", "a=1,b=0", "a=1.5,b=-0.5", "a=0.5,a=0.5", "../a=1", "a", "a=nan"],
)
def test_parts_that_can_t_be_are_a_usage_error(
    parts: str, write_rows: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as exit_:
        rft(write_rows(10), "-o", tmp_path / "out", "--parts", parts)
    assert exit_.value.code == 2
    assert not (tmp_path / "out").exists()


def test_one_part_that_exists_keeps_all_of_them_from_being_written(
    write_rows: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "test.jsonl").write_text("precious")
    assert rft(write_rows(35), "-o", out) == 2
    assert "exists already" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["test.jsonl"]
    assert (out / "test.jsonl").read_text() == "precious"
    assert rft(write_rows(35), "-o", out, "--force") == 0
    assert sum(counts(out).values()) == 35


def test_too_few_rows_are_one_message_and_no_file(
    write_rows: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rft(write_rows(2), "-o", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert error.count("rft: ") == 1
    assert "would be empty" in error
    assert not (tmp_path / "out").exists()
