"""What `rft run` says when a run has ended; the training itself is a stub here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.cli import main, parser
from bedrock_rft_sim.diagnosis import Finding
from bedrock_rft_sim.train import run

Printed = pytest.CaptureFixture[str]
SET = ["--set", "local.seed=3"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that lets each run end with a status, after 4 of 8 steps."""
    signal = Finding("learning-signal", "clear", "There is a learning signal.")

    def end_with(status: str, signal: Finding = signal) -> None:
        def rehearse(recipe: Any, *, parent: Path, name: str | None, **_: Any) -> run.RunResult:
            folder = Path(parent) / (name or recipe.name)
            return run.RunResult(folder, status, 4, 8, signal, {}, {})

        monkeypatch.setattr(run, "rehearse", rehearse)

    return end_with


def commands(printed: str) -> list[list[str]]:
    """Return the commands that were printed, each of which has to be one."""
    found = [line.split()[1:] for line in printed.splitlines() if line.startswith("  rft ")]
    for words in found:
        assert parser().parse_args(words).command
    return found


def test_a_run_that_completed_names_its_page_and_what_comes_next(
    ends: Callable[..., None], capsys: Printed
) -> None:
    ends("Completed")
    assert main(["run", "quickstart", *SET]) == 0
    printed = capsys.readouterr().out
    assert "  page: runs/quickstart/report.html\n" in printed
    again, compared = commands(printed)
    assert again == ["run", "quickstart", "--name", "quickstart-seed4", "--set", "local.seed=4"]
    assert compared[:3] == ["compare", "runs/quickstart", "runs/quickstart-seed4"]


def test_a_run_without_a_learning_signal_names_its_report(
    ends: Callable[..., None], capsys: Printed
) -> None:
    ends("Completed", Finding("learning-signal", "problem", "No learning signal."))
    assert main(["run", "quickstart"]) == 1
    assert commands(capsys.readouterr().out) == [["report", "runs/quickstart"]]


def test_a_run_that_was_stopped_names_the_command_that_goes_on(
    ends: Callable[..., None], capsys: Printed
) -> None:
    ends("Stopped")
    assert main(["run", "quickstart", *SET, "--out", "elsewhere", "--name", "x"]) == 1
    (goes_on,) = commands(capsys.readouterr().out)
    options = ["--out", "elsewhere", "--name", "x", "--resume"]
    assert goes_on == ["run", "quickstart", *SET, *options]


def test_a_run_that_is_broken_off_names_it_too(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    def rehearse(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "rehearse", rehearse)
    assert main(["run", "quickstart"]) == 1
    printed = capsys.readouterr().err
    assert commands(printed) == [["run", "quickstart", "--resume"]]
    assert "rft: stopped" in printed


@pytest.mark.parametrize("is_there", [True, False])
def test_the_page_is_opened_when_asked_for(
    is_there: bool, ends: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or is_there)
    ends("Completed")
    assert main(["run", "quickstart"]) == 0
    assert opened == []
    assert main(["run", "quickstart", "--open", "--json"]) == 0
    assert opened == [Path("runs/quickstart/report.html").absolute().as_uri()]
    printed = capsys.readouterr()
    assert json.loads(printed.out.splitlines()[-1])["page"] == "runs/quickstart/report.html"
    assert ("no browser could be started" in printed.err) is not is_there
