"""Sweeps over a stub in place of training: its numbers are known, and it takes no time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.sweep import read_sweep, sweep
from bedrock_rft_sim.sweep.plan import SweepPlan
from bedrock_rft_sim.sweep.result import SweepResult

STUB = (sys.executable, str(Path(__file__).with_name("stub.py")))
RATE = "customizationConfig.rftConfig.hyperParameters.learningRate"
BATCH = "customizationConfig.rftConfig.hyperParameters.batchSize"
SAMPLES = "customizationConfig.rftConfig.hyperParameters.trainingSamplePerPrompt"


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes a sweep over the quickstart and gives its path."""

    def write(text: str, recipe: str = "quickstart") -> Path:
        path = tmp_path / "asked.yaml"
        path.write_text(f"recipe: {recipe}\n{text}")
        return path

    return write


@pytest.fixture
def plan(written: Callable[[str], Path], tmp_path: Path) -> Callable[[str], SweepPlan]:
    """Return a function that reads a sweep as far as its plan."""
    return lambda text: SweepPlan(read_sweep(written(text)), tmp_path / "out")


@pytest.fixture
def swept(
    written: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., SweepResult]:
    """Return a function that runs a sweep over the stub, into `out` under tmp_path."""
    monkeypatch.setattr("bedrock_rft_sim.sweep.points.POLL_S", 0.01)

    def run(text: str, *, workers: int = 1, say: Any = lambda _words: None) -> SweepResult:
        out = tmp_path / "out"
        return sweep(read_sweep(written(text)), out=out, workers=workers, say=say, command=STUB)

    return run


@pytest.fixture
def made(tmp_path: Path) -> Callable[[], list[str]]:
    """Return a function that tells which runs the stub was asked for, in order."""
    log = tmp_path / "out" / "stub.log"
    return lambda: log.read_text().splitlines() if log.exists() else []
