"""The README's recipe and commands, as a stranger copies them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from bedrock_rft_sim.cli import main

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
LINES_MAX = 110
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the README's recipe, saved as the README says, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "recipe.yaml"
    path.write_text(next(text for language, text in BLOCKS if language == "yaml"))
    return path


def test_it_stays_short() -> None:
    assert len(TEXT.splitlines()) <= LINES_MAX


def test_every_link_leads_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_its_recipe_works_when_copied(recipe: Path) -> None:
    assert main(["check", recipe.name]) == 0


@pytest.mark.slow
def test_its_recipe_trains_and_is_reported(recipe: Path) -> None:
    small = ["--set", "local.maxSteps=1", "--set", "local.trainingData=problems:16"]
    main(["run", recipe.name, *small])
    assert main(["report", "latest"]) == 0
    assert (recipe.parent / "runs/my-rehearsal/report.html").is_file()


@pytest.mark.slow
def test_raw_gsm8k_comes_to_a_report_in_five_lines(
    gsm8k_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gsm8k").symlink_to(gsm8k_folder)
    block = next(text for _, text in BLOCKS if text.startswith("rft data gsm8k"))
    data, init, check, run, report = (shlex.split(line)[1:] for line in block.splitlines())
    init[init.index("--model") + 1] = "tiny"  # in place of the Hub's, and one small step
    few = "local.maxSteps=1", "local.overrides.inferenceMaxTokens=16", "local.validationPrompts=8"
    small = [word for text in few for word in ("--set", text)]
    assert main(data) == 0
    assert main(init) == 0
    assert main([*check, "--rows", "8", *small]) == 0
    assert main([*run, *small]) in (0, 1)  # no learning signal is likely after one step
    assert main(report) == 0
    assert (tmp_path / "runs/gsm8k/report.html").is_file()
