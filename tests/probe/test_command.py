"""`rft probe --endpoint` from the command line to the wire and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sim.cli import main

KEY = "sk-very-secret"


@pytest.fixture
def command(
    stand_in: Any, write_rows: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    monkeypatch.setenv("MY_KEY", KEY)
    data = write_rows(20)
    return [
        *("probe", "quickstart", "--prompts", "5", "--samples", "4"),
        *("--set", f"local.trainingData={data}", "--set", f"local.validationData={data}"),
        *("--endpoint", stand_in.url, "--endpoint-model", "m", "--endpoint-key-env", "MY_KEY"),
        *("--out", str(tmp_path / "p.json")),
    ]


def everything_written(tmp_path: Path) -> str:
    return "".join(path.read_text() for path in tmp_path.iterdir() if path.is_file())


def test_an_endpoint_s_answers_are_graded_and_the_key_is_only_sent(
    command: list[str], stand_in: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--json"]) == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert (report["graded"], report["is_local"]) == (20, False)
    assert report["lengths"]["mean"]["value"] == 5
    assert {each["headers"]["Authorization"] for each in stand_in.requests} == {f"Bearer {KEY}"}
    assert KEY not in printed.out + printed.err + everything_written(tmp_path)
    lines = (tmp_path / "p.samples.jsonl").read_text().splitlines()[1:]
    assert {json.loads(line)["text"] for line in lines} == {"#### 3"}
    assert {json.loads(line)["grade"] for line in lines} <= {0.0, 1.0}


def test_too_many_failed_samples_fail_the_command_and_are_listed(
    command: list[str], stand_in: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in.script = [stand_in.answer("no", status=400)] * 2
    assert main(command) == 1
    printed = capsys.readouterr().out
    assert "2 of 20 samples have no grade, more than the 5 % allowed; none was invented" in printed
    assert "2 x status 400 no" in printed
    assert "prompts: sum-" in printed


def test_a_few_failed_samples_are_told_and_let_pass(
    command: list[str], stand_in: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in.script = [stand_in.answer("no", status=400)]
    assert main(command) == 0
    assert "1 of 20 samples have no grade, within the 5 % allowed" in capsys.readouterr().out
