"""Who reads the list of jobs never waits for a slow disk."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bedrock_rft_sim.jobs import Job, Jobs
from bedrock_rft_sim.jobs.registry import Registry
from tests.jobs.conftest import BEDROCK, wait_until


def a_job(folder: Path, name: str = "a") -> Job:
    return Job(
        id=name,
        details=BEDROCK,
        name=name,
        request={},
        folder=folder / name,
        created=1.0,
        modified=1.0,
    )


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    made = Registry(tmp_path / "jobs.sqlite", runs=tmp_path)
    made.add(a_job(tmp_path), token="t")
    return made


def test_a_reader_does_not_wait_for_a_transaction_and_sees_what_was_before_it(
    registry: Registry,
) -> None:
    seen: list[str] = []
    with registry.transaction():
        registry.set("a", status="running")
        reader = threading.Thread(target=lambda: seen.append(registry.get("a").status))
        reader.start()
        reader.join(5)
        assert seen == ["queued"]
        assert registry.get("a").status == "running"
    assert registry.get("a").status == "running"
    registry.close()


def test_a_transaction_that_fails_changes_nothing_and_blocks_nobody(registry: Registry) -> None:
    def fail() -> None:
        with registry.transaction():
            registry.set("a", status="running")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert registry.get("a").status == "queued"
    with registry.transaction():
        registry.set("a", status="failed")
    assert registry.get("a").status == "failed"
    registry.close()


def test_polling_does_not_wait_for_a_slow_disk_under_create(
    open_jobs: Callable[..., Jobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    from bedrock_rft_sim import files

    jobs = open_jobs(steps=1)
    job = jobs.create(BEDROCK, {}, name="a", request={})
    wait_until(lambda: jobs.get(job.id).has_ended)
    is_syncing, go_on = threading.Event(), threading.Event()
    were_let_go: list[bool] = []

    def slow(_descriptor: int) -> None:
        is_syncing.set()
        were_let_go.append(go_on.wait(20))

    monkeypatch.setattr(files.os, "fsync", slow)
    create = {"name": "b", "request": {}, "token": "t"}
    creating = threading.Thread(target=lambda: jobs.create(BEDROCK, {}, **create))
    creating.start()
    assert is_syncing.wait(20)
    assert jobs.get(job.id).status == "completed"
    assert [one.id for one in jobs.list("bedrock")] == [job.id]
    jobs.update_details(job.id, model_deleted=True)
    go_on.set()
    creating.join()
    assert all(were_let_go)
    assert [one.name for one in jobs.list("bedrock")] == ["b", "a"]


def test_polling_and_stopping_do_not_wait_for_a_child_that_is_slow_to_start(
    open_jobs: Callable[..., Jobs],
) -> None:
    is_starting, go_on = threading.Event(), threading.Event()
    were_let_go: list[bool] = []

    def slow(recipe: Path, job: Job, resume: bool) -> Sequence[str]:
        is_starting.set()
        were_let_go.append(go_on.wait(20))
        return [sys.executable, "-c", ""]

    jobs = open_jobs(start=slow)
    job = jobs.create(BEDROCK, {}, name="a", request={})
    assert is_starting.wait(20)
    assert jobs.get(job.id).status == "validating"
    assert jobs.stop(job.id).status == "stopping"
    go_on.set()
    wait_until(lambda: jobs.get(job.id).has_ended)
    assert jobs.get(job.id).status == "stopped"
    assert were_let_go == [True]


def test_two_creates_at_once_with_one_token_make_one_job_and_one_recipe(
    open_jobs: Callable[..., Jobs],
) -> None:
    jobs = open_jobs(start=lambda *_: [sys.executable, "-c", ""])
    made: list[str] = []

    def create() -> None:
        made.append(jobs.create(BEDROCK, {}, name="a", request={}, token="t").id)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    assert [path.stem for path in (jobs.root / "recipes").glob("*.yaml")] == made[:1]
