"""One job's trouble is told, and ends neither the worker nor the other jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.jobs import Job, Jobs, retries
from bedrock_rft_sim.jobs.retries import TRIES_MAX, Retries
from tests.jobs.conftest import BEDROCK, stub_command, wait_until


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again almost at once."""
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", 0.01)


def create(jobs: Jobs, name: str) -> Job:
    return jobs.create(BEDROCK, {}, name=name, request={})


@pytest.mark.usefixtures("quick")
def test_an_end_that_nothing_can_deliver_is_given_up_and_told(
    open_jobs: Callable[..., Jobs], capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []

    def deliver(job: Job) -> None:
        told.append(job.name)
        if job.name == "bad":
            "\ud800".encode()

    jobs = open_jobs(deliver=deliver, steps=1)
    bad = create(jobs, "bad")
    log = ""

    def is_given_up() -> bool:
        nonlocal log
        log += capfd.readouterr().err
        return f"jobs: delivering {bad.id}: given up" in log

    wait_until(is_given_up)
    assert told == ["bad"] * TRIES_MAX
    assert log.count("Traceback") == 1
    assert "UnicodeEncodeError" in log
    create(jobs, "good")
    wait_until(lambda: told[-1] == "good")
    jobs.close()
    again = open_jobs(deliver=deliver, steps=1)
    create(again, "third")
    wait_until(lambda: told[-1] == "third")
    assert told == [*["bad"] * TRIES_MAX, "good", "third"]


@pytest.mark.usefixtures("quick")
def test_a_job_that_nothing_can_start_has_failed_and_the_next_one_runs(
    open_jobs: Callable[..., Jobs], capfd: pytest.CaptureFixture[str]
) -> None:
    def start(recipe: Path, job: Job, resume: bool) -> Sequence[str]:
        if job.name == "bad":
            raise TypeError("no command for this")
        return stub_command(1)(recipe, job, resume)

    jobs = open_jobs(start=start)
    bad, good = create(jobs, "bad"), create(jobs, "good")
    wait_until(lambda: jobs.get(good.id).status == "completed")
    wait_until(lambda: jobs.get(bad.id).has_ended)
    assert jobs.get(bad.id).status == "failed"
    assert "no command for this" in (jobs.get(bad.id).failure or "")
    assert "TypeError: no command for this" in capfd.readouterr().err


@pytest.mark.usefixtures("quick")
def test_a_start_that_a_full_disk_refuses_is_tried_until_it_goes(
    open_jobs: Callable[..., Jobs], capfd: pytest.CaptureFixture[str]
) -> None:
    tries: list[str] = []

    def start(recipe: Path, job: Job, resume: bool) -> Sequence[str]:
        tries.append(job.id)
        if len(tries) <= TRIES_MAX:
            raise OSError(28, "No space left on device")
        return stub_command(1)(recipe, job, resume)

    jobs = open_jobs(start=start)
    job = create(jobs, "a")
    wait_until(lambda: jobs.get(job.id).has_ended)
    assert jobs.get(job.id).status == "completed"
    log = capfd.readouterr().err
    assert log.count("No space left on device") == 1
    assert "Traceback" not in log


def test_a_disk_that_refuses_is_never_given_up_and_a_mistake_is() -> None:
    known = Retries()
    full = [known.note("a", RehearsalError("the disk is full")) for _ in range(50)]
    wrong = [known.note("b", TypeError("x")) for _ in range(TRIES_MAX)]
    assert not any(full)
    assert wrong == [False] * (TRIES_MAX - 1) + [True]


def test_what_went_wrong_waits_before_it_is_tried_again_and_what_went_well_does_not() -> None:
    known = Retries()
    assert known.is_due("a")
    known.note("a", OSError("x"))
    assert not known.is_due("a")
    assert known.is_due("b")
    known.forget("a")
    assert known.is_due("a")
