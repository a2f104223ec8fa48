"""What `rft sweep` says on the terminal about options, refusals and fresh seeds."""

from __future__ import annotations

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


WRONG = {
    ("--workers", "x"): "expected a whole number from 1, found 'x'",
    ("--workers", "0"): "expected a whole number from 1, found '0'",
    ("--seeds", ""): "expected different whole numbers from 0, such as 0,1,2, found ''",
    ("--seeds", "1,"): "found '1,'",
    ("--seeds", "1,1"): "found '1,1'",
    ("--seeds", "one"): "found 'one'",
}


@pytest.mark.parametrize("option", WRONG, ids=" ".join)
def test_a_wrong_option_says_what_was_expected(option: tuple[str, str], capsys: Any):
    with pytest.raises(SystemExit):
        main(["sweep", "quickstart", *option])
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
