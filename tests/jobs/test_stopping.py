"""Stopping: kindly first, then harder; at the end of the server as well."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bedrock_rft_sim.jobs import Job, Jobs
from bedrock_rft_sim.jobs.children import LADDER
from tests.jobs.conftest import BEDROCK, STUB, wait_until

DEAF = """
import signal, sys, time
from pathlib import Path
heard = []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: heard.append(number))
Path(sys.argv[1]).touch()
while len(heard) < int(sys.argv[2]):
    time.sleep(0.01)
"""
"""Ends upon the signal of that number, and notes before that it listens."""


def deaf(ready: Path, signals: int) -> Callable[[Path, Job, bool], Sequence[str]]:
    return lambda *_: [sys.executable, "-c", DEAF, str(ready), str(signals)]


def stopped(jobs: Jobs, ready: Path) -> Job:
    """Return a job that was asked to stop once it listened, and has ended."""
    job = jobs.create(BEDROCK, {}, name="a", request={})
    wait_until(ready.exists)
    assert jobs.stop(job.id).status == "stopping"
    wait_until(lambda: jobs.get(job.id).has_ended)
    return jobs.get(job.id)


def test_a_child_that_missed_the_first_asking_is_asked_again(
    open_jobs: Callable[..., Jobs], tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    ladder = ((0.0, signal.SIGINT), (0.1, signal.SIGINT), (60.0, signal.SIGKILL))
    job = stopped(open_jobs(start=deaf(ready, 2), ladder=ladder), ready)
    assert job.status == "stopped"
    assert job.phases.validation.status == "Stopped"


def test_a_child_that_does_not_stop_is_killed_and_its_job_stopped(
    open_jobs: Callable[..., Jobs], tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    ladder = ((0.0, signal.SIGINT), (0.1, signal.SIGTERM), (0.2, signal.SIGKILL))
    job = stopped(open_jobs(start=deaf(ready, 99), ladder=ladder), ready)
    assert job.status == "stopped"
    assert job.failure is None


def test_a_step_has_a_minute_before_the_run_is_asked_again() -> None:
    assert [seconds for seconds, _ in LADDER][:2] == [0.0, 60.0]
    assert LADDER[-1] == (100.0, signal.SIGKILL)


def test_a_job_that_is_stopped_while_it_is_being_started_stops(
    open_jobs: Callable[..., Jobs], tmp_path: Path
) -> None:
    entered: list[str] = []

    def slow(recipe: Path, job: Job, resume: bool) -> Sequence[str]:
        entered.append(job.id)
        time.sleep(0.3)
        return [sys.executable, str(STUB), str(job.folder.parent), job.id, "1000", "0.05"]

    jobs = open_jobs(start=slow)
    job = jobs.create(BEDROCK, {}, name="a", request={})
    wait_until(lambda: entered != [])
    jobs.stop(job.id)
    wait_until(lambda: jobs.get(job.id).has_ended)
    assert jobs.get(job.id).status == "stopped"


@pytest.fixture
def left_child(tmp_path: Path, open_jobs: Callable[..., Jobs]) -> tuple[Path, str]:
    """Return the root and the job of a child whose server was killed."""
    from tests.jobs.test_killed import kill, killed_server, steps

    root = tmp_path / "root"
    process, (first, _) = killed_server(root)
    wait_until(lambda: steps(root, first) > 2)
    kill(process)
    return root, first


def test_the_end_of_a_server_lets_a_child_it_took_up_end_cleanly(
    left_child: tuple[Path, str], open_jobs: Callable[..., Jobs]
) -> None:
    root, job_id = left_child
    jobs = open_jobs(root, steps=30)
    wait_until(lambda: jobs.get(job_id).status == "running")
    jobs.close()
    record = json.loads((root / "runs" / job_id / "run.json").read_text())
    assert record["status"] == "Stopped"


def test_the_end_of_a_server_kills_a_child_it_took_up_only_after_waiting(
    tmp_path: Path, open_jobs: Callable[..., Jobs]
) -> None:
    from bedrock_rft_sim.jobs.children import Child

    root, ready = tmp_path / "root", tmp_path / "ready"
    lock = root / "children" / "x.lock"
    lock.parent.mkdir(parents=True)
    command = [sys.executable, "-c", DEAF, str(ready), "99"]
    child = Child.start(lambda: command, lock=lock, log=root / "log")
    wait_until(ready.exists)
    adopted = Child.left_behind(lock=lock, log=root / "log")
    assert adopted is not None
    adopted.signal(signal.SIGINT)
    began = time.monotonic()
    assert not adopted.wait(0.2)
    assert time.monotonic() - began >= 0.2
    adopted.signal(signal.SIGKILL)
    assert child.wait(20)
    assert adopted.wait(20)
    assert child.exit_code == -signal.SIGKILL
