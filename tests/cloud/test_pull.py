"""A job as a run folder: only added to, and nothing in it that Bedrock does not say."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.cli import main
from bedrock_rft_sim.cloud import from_job
from bedrock_rft_sim.cloud.pull import PulledJob, job_named, pull
from bedrock_rft_sim.cloud.record import CloudRecord
from bedrock_rft_sim.cloud.submit import Wishes, perform
from bedrock_rft_sim.compare.series import read_curves
from bedrock_rft_sim.errors import CloudError
from bedrock_rft_sim.recipe.load import load_recipe
from bedrock_rft_sim.report.page import Page
from bedrock_rft_sim.runs import Run, RunFolder
from tests.cloud.fake_aws import BASE, BEGUN, FakeAws
from tests.cloud.submissions import fake_aws, submission

CSV = b"step_number,train_reward_mean,policy_entropy\n1,0.25,0.9\n2,0.5,0.8\n"
REPORT = "REPORT RequestId: {}\tDuration: {} ms\tBilled Duration: 1 ms\tMemory Size: 512 MB"


def submitted(parent: Path) -> FakeAws:
    fake = fake_aws(submission())
    perform(fake.aws(), submission(), CloudRecord(parent / "quickstart"), Wishes(create_role=True))
    return fake


def pulled(fake: FakeAws, parent: Path) -> PulledJob:
    return pull(fake.aws(), fake.jobs["quickstart"]["jobArn"], parent=parent)


def end(fake: FakeAws, status: str = "Completed", **more: Any) -> None:
    ended = BEGUN + timedelta(hours=2)
    model = "arn:aws:bedrock:us-east-1:123456789012:custom-model/x/1"
    fake.jobs["quickstart"] |= {"status": status, "endTime": ended, "lastModifiedTime": ended}
    fake.jobs["quickstart"] |= {"outputModelArn": model, **more}


def put(fake: FakeAws, name: str, content: bytes) -> None:
    job = fake.jobs["quickstart"]["jobArn"].rpartition("/")[2]
    key = f"output/model-customization-job-{job}/training_artifacts/{name}"
    fake.buckets["my-bucket"][key] = {"Body": content, "Metadata": {}}


def wrote(fake: FakeAws, *lines: str, second: int = 0) -> None:
    when = int(BEGUN.timestamp() + second) * 1000
    fake.log += [
        {
            "eventId": f"{len(fake.log) + number}",
            "timestamp": when,
            "message": f"{line}\n",
            "logStreamName": "2026/11/26/[1]aa",
        }
        for number, line in enumerate(lines)
    ]


def test_a_job_that_goes_on_says_its_status_and_nothing_that_is_not_known(tmp_path: Path) -> None:
    fake = submitted(tmp_path)
    found = pulled(fake, tmp_path)
    assert (found.status, found.last_step, found.grader) == ("InProgress", None, None)
    run = Run.open(tmp_path / "quickstart")
    assert run.is_of_bedrock
    assert not run.going_on
    assert [event["message"] for event in run.folder.read_events()] == ["InProgress"]
    assert "killed" not in " ".join(run.remarks)
    assert "model" not in run.resolved["local"]
    assert {each["origin"] for each in run.resolved["settings"].values()} <= {
        "stated",
        "documented",
    }


def test_metrics_events_and_the_grader_come_into_the_run_and_again_only_add(tmp_path: Path) -> None:
    fake = submitted(tmp_path)
    wrote(fake, "START", REPORT.format("a", "20.00"))
    pulled(fake, tmp_path)
    end(fake)
    put(fake, "step_wise_training_metrics.csv", CSV)
    put(fake, "validation_metrics.csv", b"step_number,validation_rewards_mean\n0,0.1\n2,0.4\n")
    wrote(fake, REPORT.format("b", "40.00"), second=0)
    wrote(fake, REPORT.format("c", "900.00") + "\tStatus: timeout", second=5)
    found = pulled(fake, tmp_path)
    assert found.last_step == 2
    assert found.grader == {
        "invocations": 3,
        "p50_s": pytest.approx(0.04),
        "p95_s": pytest.approx(0.9, abs=0.1),
        "max_s": pytest.approx(0.9),
        "errors": {"timeout": 1},
    }
    run = Run.open(tmp_path / "quickstart")
    assert run.lines == [
        {"step": 0, "validation_rewards_mean": 0.1},
        {"step": 1, "critic_rewards_mean": 0.25, "actor_entropy": 0.9},
        {
            "step": 2,
            "critic_rewards_mean": 0.5,
            "actor_entropy": 0.8,
            "validation_rewards_mean": 0.4,
        },
    ]
    files = contents(tmp_path)
    fake.buckets["my-bucket"].clear()
    fake.log.clear()
    pulled(fake, tmp_path)
    after = contents(tmp_path)
    assert {name for name, content in files.items() if after[name] != content} <= {
        "cloud.json",
        "run.json",
    }
    assert len(run.billed_seconds()) == 3


def contents(parent: Path) -> dict[str, bytes]:
    folder = parent / "quickstart"
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_kill_between_the_log_and_its_record_doubles_no_line(tmp_path: Path) -> None:
    fake = submitted(tmp_path)
    wrote(fake, "one", "two", "three")
    pulled(fake, tmp_path)
    record = CloudRecord(tmp_path / "quickstart")
    assert record.get("log")["size"] == len("one\ntwo\nthree\n")
    log = tmp_path / "quickstart" / "grader.log"
    log.write_text("one\ntwo\nthree\nfour\n")  # written, and killed before it was noted
    wrote(fake, "four", second=1)
    pulled(fake, tmp_path)
    assert log.read_text() == "one\ntwo\nthree\nfour\n"


def test_lines_of_other_versions_are_not_the_jobs(tmp_path: Path) -> None:
    fake = submitted(tmp_path)
    wrote(fake, "mine")
    wrote(fake, "another version's")
    fake.log[-1]["logStreamName"] = "2026/11/26/[2]bb"
    pulled(fake, tmp_path)
    assert (tmp_path / "quickstart" / "grader.log").read_text() == "mine\n"


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    fake = submitted(tmp_path)
    end(fake, "Failed", failureMessage="The reward Lambda failed.")
    found = pulled(fake, tmp_path)
    assert any("where Bedrock writes the metrics" in each for each in found.remarks)
    assert any("there is no log group /aws/lambda/gsm8k-reward" in each for each in found.remarks)
    run = Run.open(tmp_path / "quickstart")
    assert run.record["error"] == "The reward Lambda failed."
    assert run.lines == []


def test_report_and_compare_read_it_as_a_job_on_bedrock(tmp_path: Path) -> None:
    fake = submitted(tmp_path)
    end(fake)
    put(fake, "step_wise_training_metrics.csv", CSV)
    wrote(fake, REPORT.format("a", "1900.00"))
    pulled(fake, tmp_path)
    folder = tmp_path / "quickstart"
    (curves,) = read_curves(folder)
    assert (curves.kind, curves.prompts_per_step) == ("nova-csv", 16)
    summary = Page(RunFolder.open(folder)).summary()
    by_rule = {verdict.rule: verdict for verdict in summary.verdicts}
    assert "1.9 s at most" in by_rule["grader latency"].says
    assert by_rule["truncation"].severity == "unknown"
    html = Page(RunFolder.open(folder)).render()
    assert "Ledger: how this differs from Bedrock" not in html
    assert "job on Bedrock" in html


def test_a_job_that_nobody_submitted_here_is_pulled_by_its_arn_and_owns_nothing(
    tmp_path: Path,
) -> None:
    fake = submitted(tmp_path / "theirs")
    arn = fake.jobs["quickstart"]["jobArn"]
    assert job_named(arn, parent=tmp_path).region == "us-east-1"
    pulled(fake, tmp_path)
    record = CloudRecord(tmp_path / "quickstart")
    assert record.owned() == []
    assert record.get("job")["token"] is None
    assert job_named("quickstart", parent=tmp_path).identifier == arn
    recipe = (tmp_path / "quickstart" / "recipe.yaml").read_text()
    assert "jobName: quickstart" in recipe
    assert "trainingData: ./train.jsonl" in recipe


def test_a_folder_is_never_another_jobs(tmp_path: Path) -> None:
    fake = submitted(tmp_path)
    fake.jobs["quickstart"]["jobArn"] += "00"
    with pytest.raises(CloudError, match="another job's"):
        pulled(fake, tmp_path)


def test_an_unknown_job_and_one_of_another_kind_are_one_message(tmp_path: Path) -> None:
    fake = submitted(tmp_path)
    with pytest.raises(CloudError, match="there is no such job"):
        pull(fake.aws(), "nobody", parent=tmp_path)
    fake.jobs["quickstart"]["customizationType"] = "FINE_TUNING"
    with pytest.raises(CloudError, match="none of reinforcement fine-tuning"):
        pulled(fake, tmp_path)


def test_a_submission_whose_answer_was_lost_finds_its_job(tmp_path: Path) -> None:
    fake = submitted(tmp_path)
    record = CloudRecord(tmp_path / "quickstart")
    record.set(job={**record.get("job"), "arn": None})
    found = pulled(fake, tmp_path)
    known = json.loads((found.folder / "cloud.json").read_text())["job"]
    assert known["arn"] == fake.jobs["quickstart"]["jobArn"]


def test_the_recipe_of_a_job_sends_the_same_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = submitted(tmp_path)
    monkeypatch.setattr(from_job, "open_aws", lambda _region: fake.aws())
    monkeypatch.chdir(tmp_path)
    arn = fake.jobs["quickstart"]["jobArn"]
    sent = CloudRecord(tmp_path / "quickstart").get("job")["request"]
    for number, job in enumerate((arn, "quickstart", arn.rpartition("/")[2])):
        out = ["-o", f"{number}.yaml", "--validation", "problems"]
        assert main(["init", "--from", job, *out]) == 0
        recipe = load_recipe(tmp_path / f"{number}.yaml")
        assert recipe.payload() == {**sent, "baseModelIdentifier": BASE}
    assert main(["init", "--from", "no-such-file"]) == 2
