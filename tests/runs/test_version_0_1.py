"""A run that version 0.1 wrote, stopped after three of four steps, is read and goes on.

`version_0_1/` holds it with its recipe, data, reward and untrained model of a few thousand weights;
the second checkpoint, the model of the end and the page were left out.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bedrock_rft_sim.cli import main
from bedrock_rft_sim.estimate import read_measured
from bedrock_rft_sim.runs import Run

STEPS = 3


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a copy of the run's folder, two below that of its recipe."""
    home = shutil.copytree(Path(__file__).parent / "version_0_1", tmp_path / "old")
    return home / "runs" / "old"


def test_its_view_is_whole(old: Path) -> None:
    run = Run.open(old)
    assert (run.status, run.last_step, run.going_on, run.remarks) == ("Stopped", STEPS, False, ())
    assert [step for step, _ in run.rollouts()] == [1, 2, 3]
    assert [len(answers) for _, answers in run.validations()] == [3, 3]
    assert (run.local("model"), run.setting("samples_per_prompt")) == ("./model", 4)
    assert len(run.prompts()) == 16 + 3


def test_report_reads_it(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(old), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["step"], found["remarks"]) == ("Stopped", STEPS, [])
    assert 'id="batch-train-3"' in (old / "report.html").read_text()


def test_compare_reads_it(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(old), "--with", str(old), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "cannot tell"


def test_grade_reads_it_and_agrees(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reward = str(old.parent.parent / "reward.py")
    assert main(["grade", str(old), "--reward", reward, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (agreement,), (replay,) = found["agreement"], found["replay"]
    assert (agreement["compared"], agreement["equal_share"]) == (48, 1.0)
    assert len(replay["steps"]) == STEPS


def test_estimate_reads_it(old: Path) -> None:
    found = read_measured(old)
    assert (found.steps, found.rollouts_per_step, found.limit) == (STEPS, 16, 8)


@pytest.mark.slow
def test_it_is_resumed(old: Path) -> None:
    before = Run.open(old).lines
    recipe = str(old.parent.parent / "recipe.yaml")
    assert main(["run", recipe, "--resume", "--out", str(old.parent), "--quiet"]) == 0
    run = Run.open(old)
    assert (run.status, run.last_step) == ("Completed", 4)
    assert run.record["resumed_from_step"] == STEPS
    assert "step 3 has no manifest" in run.remarks[0]
    assert run.lines[:4] == before
