"""`kill -9` of server and trainer: no job is lost, none runs twice, a running one resumes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.jobs import Jobs
from tests.jobs.conftest import BEDROCK, STUB, wait_until

pytestmark = pytest.mark.slow

SERVER = """
    import sys, time
    from pathlib import Path
    from bedrock_rft_sim.jobs import BedrockDetails, Jobs

    def command(recipe, job, resume):
        parts = [sys.executable, {stub!r}, str(job.folder.parent), job.id, "30", "0.03"]
        return parts + (["--resume"] if resume else [])

    jobs = Jobs(Path({root!r}), start=command)
    jobs.work()
    for name in ("first", "second"):
        details = BedrockDetails("us-east-1")
        print(jobs.create(details, {{}}, name=name, request={{}}).id, flush=True)
    time.sleep(60)
"""


def killed_server(root: Path) -> tuple[subprocess.Popen[str], list[str]]:
    """Start a server of its own process with two jobs; return it and the jobs' ids."""
    script = textwrap.dedent(SERVER).format(stub=str(STUB), root=str(root))
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, [process.stdout.readline().strip() for _ in range(2)]


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def starts(root: Path, job_id: str) -> list[tuple[int, str]]:
    path = root / "runs" / f"starts-{job_id}"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(int(line.split()[0]), line.split()[1]) for line in lines]


def steps(root: Path, job_id: str) -> int:
    path = root / "runs" / job_id / "metrics.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0


def all_ended(jobs: Jobs) -> Callable[[], bool]:
    return lambda: all(job.has_ended for job in jobs.list("bedrock"))


def test_a_child_that_outlived_its_server_is_taken_up_and_not_started_again(
    tmp_path: Path, open_jobs: Callable[..., Jobs]
) -> None:
    root = tmp_path / "root"
    process, (first, second) = killed_server(root)
    wait_until(lambda: steps(root, first) > 2)
    kill(process)
    jobs = open_jobs(root, steps=30)
    assert [job.id for job in jobs.list("bedrock")] == [second, first]
    wait_until(all_ended(jobs))
    assert {job.status for job in jobs.list("bedrock")} == {"completed"}
    assert [how for _, how in starts(root, first)] == ["new"]
    assert [how for _, how in starts(root, second)] == ["new"]


def test_a_trainer_killed_with_its_server_resumes(
    tmp_path: Path, open_jobs: Callable[..., Jobs]
) -> None:
    root = tmp_path / "root"
    process, (first, _) = killed_server(root)
    wait_until(lambda: steps(root, first) > 2)
    kill(process)
    os.kill(starts(root, first)[0][0], signal.SIGKILL)
    jobs = open_jobs(root, steps=30)
    wait_until(all_ended(jobs))
    assert [how for _, how in starts(root, first)] == ["new", "resume"]
    assert steps(root, first) == 30


def test_a_trainer_killed_under_a_living_server_resumes(
    open_jobs: Callable[..., Jobs],
) -> None:
    jobs = open_jobs(steps=30, pause_s=0.03)
    job = jobs.create(BEDROCK, {}, name="a", request={})
    wait_until(lambda: steps(jobs.root, job.id) > 2)
    os.kill(starts(jobs.root, job.id)[0][0], signal.SIGKILL)
    wait_until(all_ended(jobs))
    assert jobs.get(job.id).status == "completed"
    assert [how for _, how in starts(jobs.root, job.id)] == ["new", "resume"]


@pytest.mark.parametrize("torn", ["nothing", "an empty run folder", "a whole run"])
def test_a_server_killed_around_the_start_of_a_run_neither_loses_nor_repeats_it(
    tmp_path: Path, open_jobs: Callable[..., Jobs], torn: str
) -> None:
    root = tmp_path / "root"
    before = open_jobs(root)
    before.close()
    job = _job_left_validating(root)
    folder = root / "runs" / job
    if torn == "an empty run folder":
        folder.mkdir()
        (folder / ".lock").touch()
    elif torn == "a whole run":
        command = [sys.executable, str(STUB), str(root / "runs"), job, "3", "0"]
        subprocess.run(command, check=True)
    jobs = open_jobs(root)
    wait_until(all_ended(jobs))
    assert jobs.get(job).status == "completed"
    assert [how for _, how in starts(root, job)] == ["new"]


def _job_left_validating(root: Path) -> str:
    """Write what a server leaves that dies between its note of a start and the start."""
    import time

    from bedrock_rft_sim.jobs.job import Job
    from bedrock_rft_sim.jobs.registry import Registry

    registry = Registry(root / "jobs.sqlite", runs=root / "runs")
    now = time.time()
    folder = root / "runs" / "abcdefghijkl"
    job = Job(folder.name, BEDROCK, "a", {}, folder, created=now, modified=now, started=now)
    registry.add(job, token=None)
    registry.set(job.id, status="validating")
    registry.close()
    (root / "recipes" / f"{job.id}.yaml").write_text("{}")
    return job.id


def test_a_stop_asked_of_a_server_that_died_is_carried_out_by_the_next(
    tmp_path: Path, open_jobs: Callable[..., Jobs]
) -> None:
    root = tmp_path / "root"
    process, (first, _) = killed_server(root)
    wait_until(lambda: steps(root, first) > 2)
    kill(process)
    import sqlite3

    with sqlite3.connect(root / "jobs.sqlite") as db:
        db.execute("UPDATE jobs SET status = 'stopping' WHERE id = ?", (first,))
    db.close()
    jobs = open_jobs(root, steps=3)
    wait_until(all_ended(jobs))
    assert jobs.get(first).status == "stopped"
    assert steps(root, first) < 30


def test_a_second_start_of_a_running_job_finds_it_running(tmp_path: Path) -> None:
    from bedrock_rft_sim.jobs.children import Child

    lock, log = tmp_path / "lock", tmp_path / "log"
    one = Child.start(lambda: ["/bin/sh", "-c", "exec sleep 60"], lock=lock, log=log)
    asked: list[str] = []
    two = Child.start(lambda: asked, lock=lock, log=log)
    assert asked == []
    assert two.is_alive()
    assert two.exit_code is None
    assert Child.left_behind(lock=lock, log=log) is not None
    wait_until(lambda: lock.read_text() != "")
    two.signal(signal.SIGKILL)
    assert one.wait(20)
    assert two.wait(20)
    assert one.exit_code == -signal.SIGKILL
    assert Child.left_behind(lock=lock, log=log) is None
    assert log.read_text() == ""


@pytest.mark.parametrize("has_begun", [False, True])
def test_a_living_child_of_a_row_that_still_says_queued_is_taken_up_untouched(
    tmp_path: Path, open_jobs: Callable[..., Jobs], has_begun: bool
) -> None:
    import sqlite3

    from bedrock_rft_sim.jobs.children import Child

    root = tmp_path / "root"
    open_jobs(root).close()
    job = _job_left_validating(root)
    with sqlite3.connect(root / "jobs.sqlite") as db:
        db.execute("UPDATE jobs SET status = 'queued'")
    db.close()
    folder = root / "runs" / job
    script = f"""
import os, sys, time
if {has_begun}:
    os.mkdir({str(folder)!r})  # what the next server must not take for a torn start
open({str(root / "ready")!r}, "w").close()
time.sleep(1)
if {has_begun}:
    os.rmdir({str(folder)!r})
stub = [{str(STUB)!r}, {str(folder.parent)!r}, {job!r}, "9", ".05"]
os.execv(sys.executable, [sys.executable, *stub])
"""
    places = {"lock": root / "children" / f"{job}.lock", "log": root / "children" / f"{job}.log"}
    child = Child.start(lambda: [sys.executable, "-c", script], **places)
    wait_until((root / "ready").exists)
    jobs = open_jobs(root, parallel=2)
    wait_until(lambda: jobs.get(job).status != "queued")
    assert folder.exists() is has_begun
    wait_until(all_ended(jobs))
    assert child.wait(20)
    assert child.exit_code == 0
    assert jobs.get(job).status == "completed"
    assert [how for _, how in starts(root, job)] == ["new"]


def test_a_resumed_job_is_running_again_and_no_phase_goes_back(
    open_jobs: Callable[..., Jobs],
) -> None:
    jobs = open_jobs(steps=60, pause_s=0.03)
    job = jobs.create(BEDROCK, {}, name="a", request={})
    wait_until(lambda: steps(jobs.root, job.id) > 2 and jobs.get(job.id).status == "running")
    before = jobs.get(job.id).phases
    jobs.close()
    again = open_jobs(steps=60, pause_s=0.03)
    seen: list[str] = []

    def resumed() -> bool:
        now = again.get(job.id)
        seen.append(now.status)
        assert now.phases.validation == before.validation
        assert now.phases.data_processing == before.data_processing
        assert now.phases.training.status == "InProgress"
        return len(starts(jobs.root, job.id)) == 2 and steps(jobs.root, job.id) > 10

    wait_until(resumed)
    assert seen[-1] == "running"
    assert "validating" not in seen
