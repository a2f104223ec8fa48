"""Jobs as a door uses them, with a stub for the training."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.jobs import (
    BedrockDetails,
    Job,
    Jobs,
    OpenAIDetails,
    UnknownJobError,
    rehearsal_command,
)
from bedrock_rft_sim.jobs.children import child_environment
from tests.jobs.conftest import BEDROCK, wait_until

RECIPE = {"jobName": "a"}


def create(jobs: Jobs, name: str = "a", **options: Any) -> Job:
    return jobs.create(options.pop("details", BEDROCK), RECIPE, name=name, request={}, **options)


def ended(jobs: Jobs, job: Job) -> Callable[[], bool]:
    return lambda: jobs.get(job.id).has_ended


def starts(jobs: Jobs, job: Job) -> list[str]:
    path = jobs.root / "runs" / f"starts-{job.id}"
    return [line.split()[1] for line in path.read_text().splitlines()] if path.exists() else []


def test_a_job_runs_to_its_end_through_all_phases(open_jobs: Callable[..., Jobs]) -> None:
    jobs = open_jobs()
    job = create(jobs)
    assert job.status == "queued"
    wait_until(ended(jobs, job))
    done = jobs.get(job.id)
    assert done.status == "completed"
    assert done.failure is None
    assert done.ended is not None
    assert done.started is not None
    assert [phase.status for phase in (done.phases.validation, done.phases.training)] == [
        "Completed",
        "Completed",
    ]
    assert (done.folder / "metrics.jsonl").is_file()


def test_ids_have_the_form_of_each_door(open_jobs: Callable[..., Jobs]) -> None:
    jobs = open_jobs()
    bedrock, openai = create(jobs), create(jobs, details=OpenAIDetails(seed=0))
    assert len(bedrock.id) == 12
    assert bedrock.id.isalnum()
    assert bedrock.id == bedrock.id.lower()
    assert len(openai.id) == 36


def test_the_same_token_is_the_same_job_within_one_kind(open_jobs: Callable[..., Jobs]) -> None:
    jobs = open_jobs()
    first = create(jobs, token="t")
    assert create(jobs, name="b", token="t").id == first.id
    assert create(jobs, details=OpenAIDetails(seed=0), token="t").id != first.id
    assert create(jobs).id != create(jobs).id


def test_jobs_are_listed_newest_first_and_by_kind(open_jobs: Callable[..., Jobs]) -> None:
    jobs = open_jobs()
    made = [create(jobs, name=str(number)) for number in range(3)]
    create(jobs, details=OpenAIDetails(seed=0))
    assert [job.id for job in jobs.list("bedrock")] == [job.id for job in reversed(made)]


def test_an_unknown_id_is_a_clear_error(open_jobs: Callable[..., Jobs]) -> None:
    jobs = open_jobs()
    for look in (jobs.get, jobs.stop, jobs.update_details):
        with pytest.raises(UnknownJobError, match="no job of this id"):
            look("nobody")


def test_details_are_kept_and_changed_field_by_field(open_jobs: Callable[..., Jobs]) -> None:
    jobs = open_jobs()
    details = BedrockDetails("us-west-2", remarks=["r"], job_tags=[], model_tags=[])
    job = create(jobs, details=details)
    changed = jobs.update_details(job.id, model_deleted=True)
    assert changed.bedrock == replace(details, model_deleted=True)
    events = [{"message": "r"}]
    other = create(jobs, details=OpenAIDetails(7, events))
    assert jobs.get(other.id).openai == OpenAIDetails(7, events)


def test_a_list_of_version_0_1_is_read(open_jobs: Callable[..., Jobs]) -> None:
    jobs = open_jobs(steps=1)
    bedrock, openai = create(jobs), create(jobs, details=OpenAIDetails(seed=0))
    jobs.close()
    stored = {
        bedrock.id: {
            "region": "us-east-1",
            "remarks": ["r"],
            "function": "arn:aws:lambda:us-east-1:123456789012:function:f",
            "job_tags": [{"key": "k", "value": "v"}],
            "model_tags": [],
            "model_deleted": True,
        },
        openai.id: {"seed": 3, "remark_events": [{"message": "r"}]},
    }
    with sqlite3.connect(jobs.root / "jobs.sqlite") as db:
        for job_id, extra in stored.items():
            db.execute("UPDATE jobs SET extra = ? WHERE id = ?", (json.dumps(extra), job_id))
    db.close()
    again = open_jobs(steps=1)
    for job_id, extra in stored.items():
        assert asdict(again.get(job_id).details) == extra


def test_one_child_runs_at_a_time_unless_told(open_jobs: Callable[..., Jobs]) -> None:
    jobs = open_jobs(steps=1000, pause_s=0.05)
    first, second = create(jobs), create(jobs)
    wait_until(lambda: jobs.get(first.id).status == "running")
    assert jobs.get(second.id).status == "queued"
    jobs.stop(first.id)
    wait_until(lambda: jobs.get(second.id).status == "running")


def test_several_children_run_when_told(open_jobs: Callable[..., Jobs]) -> None:
    jobs = open_jobs(steps=1000, pause_s=0.05, parallel=2)
    both = [create(jobs), create(jobs)]
    wait_until(lambda: all(jobs.get(job.id).status == "running" for job in both))


def test_a_running_job_stops_cleanly(open_jobs: Callable[..., Jobs]) -> None:
    jobs = open_jobs(steps=1000, pause_s=0.05)
    job = create(jobs)
    wait_until(lambda: jobs.get(job.id).status == "running")
    assert jobs.stop(job.id).status in ("stopping", "stopped")
    wait_until(ended(jobs, job))
    assert jobs.get(job.id).status == "stopped"
    assert jobs.get(job.id).phases.training.status == "Stopped"
    assert jobs.stop(job.id).status == "stopped"


def test_a_waiting_job_stops_at_once(open_jobs: Callable[..., Jobs]) -> None:
    jobs = open_jobs(steps=1000, pause_s=0.05)
    create(jobs)
    waiting = create(jobs)
    assert jobs.stop(waiting.id).status == "stopped"
    assert starts(jobs, waiting) == []


def test_a_child_that_fails_early_gives_its_words_as_the_reason(
    open_jobs: Callable[..., Jobs],
) -> None:
    def broken(recipe: Path, job: Job, resume: bool) -> Sequence[str]:
        return ["/bin/sh", "-c", "echo 'rft: no such reward' >&2; exit 2"]

    jobs = open_jobs(start=broken)
    job = create(jobs)
    wait_until(ended(jobs, job))
    assert jobs.get(job.id).status == "failed"
    assert jobs.get(job.id).failure == "rft: no such reward"


def test_a_child_that_is_killed_again_and_again_is_given_up(
    open_jobs: Callable[..., Jobs],
) -> None:
    def dying(recipe: Path, job: Job, resume: bool) -> Sequence[str]:
        return ["/bin/sh", "-c", "kill -9 $$"]

    jobs = open_jobs(start=dying)
    job = create(jobs)
    wait_until(ended(jobs, job))
    assert "killed 5 times" in (jobs.get(job.id).failure or "")


def test_an_end_is_delivered_once(open_jobs: Callable[..., Jobs], tmp_path: Path) -> None:
    told: list[str] = []
    jobs = open_jobs(deliver=lambda job: told.append(f"{job.id} {job.status}"))
    job = create(jobs)
    wait_until(lambda: told != [])
    jobs.close()
    again = open_jobs(deliver=lambda job: told.append(job.id))
    other = create(again)
    wait_until(lambda: other.id in told)
    assert told == [f"{job.id} completed", other.id]


def test_a_clean_close_keeps_the_job_for_the_next_server(open_jobs: Callable[..., Jobs]) -> None:
    jobs = open_jobs(steps=40, pause_s=0.05)
    running, waiting = create(jobs), create(jobs)
    wait_until(lambda: jobs.get(running.id).status == "running")
    jobs.close()
    again = open_jobs(steps=40)
    assert [job.id for job in again.list("bedrock")] == [waiting.id, running.id]
    wait_until(lambda: all(job.has_ended for job in again.list("bedrock")))
    assert {job.status for job in again.list("bedrock")} == {"completed"}
    assert starts(again, running) == ["new", "resume"]
    assert starts(again, waiting) == ["new"]


def test_two_servers_can_not_hold_the_same_jobs(open_jobs: Callable[..., Jobs]) -> None:
    open_jobs()
    with pytest.raises(RehearsalError, match="another server holds these jobs"):
        open_jobs()


def test_another_version_of_the_list_is_refused(
    open_jobs: Callable[..., Jobs], tmp_path: Path
) -> None:
    jobs = open_jobs()
    jobs.close()
    with sqlite3.connect(jobs.root / "jobs.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(RehearsalError, match="another version"):
        open_jobs()


def test_a_child_sees_no_secret() -> None:
    seen = child_environment(
        {
            "PATH": "/bin",
            "AWS_ACCESS_KEY_ID": "x",
            "HF_HOME": "/h",
            "HF_TOKEN": "x",
            "OPENAI_API_KEY": "x",
            "OMP_NUM_THREADS": "1",
            "https_proxy": "http://proxy:3128",
            "SSL_CERT_FILE": "/c",
        }
    )
    reaches = {"https_proxy", "SSL_CERT_FILE"}  # a model of the Hub, as with `rft run`
    assert seen.keys() == {"PATH", "HF_HOME", "OMP_NUM_THREADS", "PYTHONPATH", *reaches}


def test_the_command_is_an_ordinary_run(open_jobs: Callable[..., Jobs]) -> None:
    job = create(open_jobs())
    command = rehearsal_command(Path("r.yaml"), job, True)
    run = ["-P", "-m", "bedrock_rft_sim", "run", "r.yaml", "--out", str(job.folder.parent)]
    assert command[1:] == [*run, "--name", job.id, "--quiet", "--json", "--resume"]


def test_an_end_that_can_not_be_delivered_holds_up_no_other(
    open_jobs: Callable[..., Jobs], capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []

    def deliver(job: Job) -> None:
        if job.name == "bad":
            raise RehearsalError("the disk is full")
        told.append(job.name)

    jobs = open_jobs(deliver=deliver)
    create(jobs, "bad")
    create(jobs, "good")
    wait_until(lambda: told == ["good"])
    assert capfd.readouterr().err.count("the disk is full") >= 1


def test_what_a_killed_server_left_half_written_is_swept_at_the_next_start(
    open_jobs: Callable[..., Jobs],
) -> None:
    first = open_jobs()
    first.close()
    root = first.root
    for folder in ("s3", "files/1", "functions/code/unpacked", "runs/a"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    left = [".jobs.tmp", "s3/.ab.object.tmp", "recipes/.a.yaml.tmp", "files/1/.content.jsonl.tmp"]
    kept = ["functions/code/unpacked/.users.tmp", "runs/a/.report.html.tmp", "s3/ab.object"]
    for name in (*left, *kept):
        (root / name).write_text("half")
    scratch = root / "functions" / "code" / ".x.tmp"
    scratch.mkdir()
    (scratch / "code.zip").write_text("half")
    open_jobs()
    assert not [name for name in left if (root / name).exists()]
    assert not scratch.exists()
    assert all((root / name).exists() for name in kept)
