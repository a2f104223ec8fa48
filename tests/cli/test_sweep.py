"""`rft sweep` as a user meets it, with a stub in place of training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sim.cli import main
from tests.sweep.conftest import BATCH, RATE, STUB


@pytest.fixture(autouse=True)
def _stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = __import__("sim.sweep", fromlist=["sweep"]).sweep
    monkeypatch.setattr("sim.sweep.sweep", lambda *a, **k: real(*a, **k, command=STUB))
    monkeypatch.chdir(tmp_path)


def write(text: str) -> str:
    Path("mine.yaml").write_text(f"recipe: quickstart\n{text}\n")
    return "./mine.yaml"


def test_the_table_the_words_and_the_files_are_printed(capsys: Any):
    asked = write(f"axes: {{{RATE}: [1e-6, 1e-3]}}\nseeds: [0, 1]")
    assert main(["sweep", asked]) == 0
    printed = capsys.readouterr()
    assert "1e-06: is flat" in printed.out
    assert "learningRate 0.001" in printed.out
    assert "written  sweeps/mine/sweep.html, sweeps/mine/best.yaml" in printed.out
    assert "one-factor: 3 settings x 2 seeds = 6 runs" in printed.err
    assert Path("sweeps/mine/best.yaml").is_file()


def test_json_goes_to_standard_output_alone(capsys: Any):
    asked = write(f"axes: {{{RATE}: [1e-6]}}")
    assert main(["sweep", asked, "--json", "--out", "here", "--seeds", "3,4"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["seeds"] == [3, 4]
    assert [each["setting"] for each in found["settings"]] == ["centre", "learningRate 1e-06"]
    assert found == json.loads(Path("here/sweep.json").read_text())


def test_one_seed_says_that_it_gives_no_interval(capsys: Any):
    assert main(["sweep", write(f"axes: {{{RATE}: [1e-6]}}")]) == 0
    assert "one seed: no interval" in capsys.readouterr().out


def test_a_failed_point_makes_the_exit_code_1_and_is_named(capsys: Any):
    assert main(["sweep", write(f"axes: {{{BATCH}: [77]}}")]) == 1
    printed = capsys.readouterr().out
    assert "failed   batchSize-77_seed-0" in printed
    assert "the policy became non-finite at step 3" in printed


def test_a_value_bedrock_would_refuse_is_one_message_and_exit_code_2(capsys: Any):
    assert main(["sweep", write(f"axes: {{{RATE}: [3e-3]}}")]) == 2
    printed = capsys.readouterr().err
    assert "mine.yaml:2: Bedrock would refuse" in printed
    assert "allowRefused: true" in printed
    assert "Traceback" not in printed
    assert not Path("sweeps").exists()


@pytest.mark.parametrize("option", [["--workers", "0"], ["--seeds", "1,1"], ["--seeds", "-1"]])
def test_a_wrong_option_is_a_usage_error(option: list[str]):
    with pytest.raises(SystemExit) as exit_:
        main(["sweep", "quickstart", *option])
    assert exit_.value.code == 2
