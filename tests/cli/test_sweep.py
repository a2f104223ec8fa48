"""`rft sweep` as a user meets it, with a stub in place of training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.cli import main
from tests.sweep.conftest import BATCH, RATE, STUB


@pytest.fixture(autouse=True)
def _stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = __import__("bedrock_rft_sim.sweep", fromlist=["sweep"]).sweep
    monkeypatch.setattr("bedrock_rft_sim.sweep.sweep", lambda *a, **k: real(*a, **k, command=STUB))
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


WRONG = {
    ("--workers", "x"): "expected a whole number from 1, found 'x'",
    ("--workers", "0"): "expected a whole number from 1, found '0'",
    ("--seeds", ""): "expected different whole numbers from 0, such as 0,1,2, found ''",
    ("--seeds", "1,"): "found '1,'",
    ("--seeds", "1,1"): "found '1,1'",
    ("--seeds", "-1"): "found '-1'",
    ("--seeds", "one"): "found 'one'",
}


@pytest.mark.parametrize("option", WRONG, ids=" ".join)
def test_a_wrong_option_says_what_was_expected(option: tuple[str, str], capsys: Any):
    with pytest.raises(SystemExit) as exit_:
        main(["sweep", "quickstart", *option])
    assert exit_.value.code == 2
    said = capsys.readouterr().err
    assert WRONG[option] in said
    assert "invalid" not in said


def test_a_confirmation_is_printed_after_the_ranking(capsys: Any):
    asked = write(f"axes: {{{BATCH}: [64]}}\nseeds: [0, 1]\nconfirm: [10, 11, 12, 13]")
    assert main(["sweep", asked]) == 0
    printed = capsys.readouterr().out
    best, confirmed = printed.index("Best: batchSize 64"), printed.index("Confirmed on 4 fresh")
    assert best < confirmed < printed.index("written  ")


def test_only_refused_settings_are_said_to_be_refused_and_are_no_failure(capsys: Any):
    text = f"set: {{{BATCH}: 4}}\naxes: {{{RATE}: [1e-5]}}\nallowRefused: true"
    assert main(["sweep", write(text)]) == 0
    printed = capsys.readouterr().out
    assert "Bedrock would refuse every setting that completed" in printed
    assert "No run completed" not in printed
    assert "best.yaml" not in printed


def test_where_no_run_completed_that_is_said_and_the_exit_code_is_1(capsys: Any):
    asked = write(f"set: {{{BATCH}: 77}}\naxes: {{{RATE}: [1e-5]}}")
    assert main(["sweep", asked]) == 1
    assert "No run completed, so nothing can be ranked." in capsys.readouterr().out


def test_the_help_shows_how_fresh_seeds_are_asked_for(capsys: Any):
    with pytest.raises(SystemExit):
        main(["sweep", "--help"])
    assert "confirm: [10, 11, 12, 13]" in capsys.readouterr().out
