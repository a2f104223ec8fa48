"""Jobs whose child is a stub, and a way to wait for what they do."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from bedrock_rft_sim.jobs import BedrockDetails, Job, Jobs, worker

STUB = Path(__file__).with_name("stub_child.py")
PATIENCE_S = 30.0
BEDROCK = BedrockDetails(region="us-east-1")


def stub_command(
    steps: int = 3, pause_s: float = 0.0
) -> Callable[[Path, Job, bool], Sequence[str]]:
    """Return a command for `Jobs(start=…)` that trains nothing."""

    def command(recipe: Path, job: Job, resume: bool) -> Sequence[str]:
        assert recipe.is_file()
        parts = [sys.executable, str(STUB), str(job.folder.parent), job.id, str(steps)]
        return [*parts, str(pause_s), *(["--resume"] if resume else [])]

    return command


def wait_until(condition: Callable[[], bool], *, patience_s: float = PATIENCE_S) -> None:
    """Look again and again; fail once patience is used up."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def open_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Jobs]]:
    """Return a function that opens jobs under a root with a stub child, closed at the end."""
    monkeypatch.setattr(worker, "TICK_S", 0.02)
    opened: list[Jobs] = []

    def open_(
        root: Path | None = None, *, steps: int = 3, pause_s: float = 0.0, **options: object
    ) -> Jobs:
        start = options.pop("start", stub_command(steps, pause_s))
        jobs = Jobs(root or tmp_path / "root", start=start, **options)  # type: ignore[arg-type]
        opened.append(jobs)
        jobs.work()
        return jobs

    yield open_
    for jobs in opened:
        jobs.close()
