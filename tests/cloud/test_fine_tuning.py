"""Open weights: one file and one job, although nothing there knows a token; and back as a run."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bedrock_rft_sim.cloud.cleanup import clean, what_is_ours
from bedrock_rft_sim.cloud.mantle import open_mantle
from bedrock_rft_sim.cloud.prepared import Prepared, prepare
from bedrock_rft_sim.cloud.pull import job_named
from bedrock_rft_sim.cloud.pull_fine_tuning import pull_fine_tuning
from bedrock_rft_sim.cloud.record import CloudRecord
from bedrock_rft_sim.cloud.submit import Wishes, perform, plan_submission, submitted_before
from bedrock_rft_sim.compare.series import read_curves
from bedrock_rft_sim.data import plan
from bedrock_rft_sim.errors import CloudError
from bedrock_rft_sim.recipe import load_recipe
from bedrock_rft_sim.runs import Run
from tests.cloud.fake_aws import FakeAws, KilledError
from tests.cloud.fake_mantle import FakeMantle, metrics
from tests.cloud.submissions import fake_aws

WISHES = Wishes(create_role=True)


@cache
def open_weight(*sets: str) -> Prepared:
    recipe = load_recipe("gsm8k-open-weight", sets=["local.trainingData=problems:100", *sets])
    return prepare(recipe, plan.source_rows(recipe, "train"))


def submit(fake: FakeAws, mantle: FakeMantle, folder: Path, *sets: str) -> str:
    prepared, record = open_weight(*sets), CloudRecord(folder)
    assert plan_submission(fake.aws(), prepared, record, WISHES, mantle.mantle()).blockers == ()
    return perform(fake.aws(), prepared, record, WISHES, mantle.mantle())


def submitted(folder: Path) -> tuple[FakeAws, FakeMantle]:
    fake, mantle = fake_aws(open_weight()), FakeMantle()
    submit(fake, mantle, folder)
    return fake, mantle


def test_a_plan_has_neither_bedrocks_role_nor_s3(tmp_path: Path) -> None:
    fake, mantle = fake_aws(open_weight()), FakeMantle()
    found = plan_submission(
        fake.aws(), open_weight(), CloudRecord(tmp_path), WISHES, mantle.mantle()
    )
    kinds = [(step.kind, step.change) for step in found.steps]
    assert kinds == [
        ("role", "create"),
        ("function", "create"),
        ("proof", "invoke"),
        ("file", "upload"),
        ("job", "submit"),
    ]
    assert (mantle.uploads, mantle.made) == ([], [])


def test_the_file_and_the_version_stand_in_the_request(tmp_path: Path) -> None:
    _, mantle = submitted(tmp_path)
    (job,) = mantle.made
    assert job.training_file == mantle.uploads[0].id
    function = job.method["reinforcement"]["grader"]["lambda"]["function"]
    assert function.endswith(":function:gsm8k-reward:1")
    assert submitted_before(open_weight(), CloudRecord(tmp_path)) == job.id
    changed = open_weight("method.reinforcement.hyperparameters.n_epochs=2")
    with pytest.raises(CloudError, match="another request"):
        submitted_before(changed, CloudRecord(tmp_path))


@pytest.mark.parametrize("fault", ["before", "after", "throttled", "error", "timeout", "denied"])
def test_whatever_fails_at_whichever_call_there_is_one_file_and_one_job(
    fault: str, tmp_path: Path
) -> None:
    _, whole = submitted(tmp_path / "whole")
    for number in range(len(whole.calls)):
        folder = tmp_path / str(number)
        fake, mantle = fake_aws(open_weight()), FakeMantle(faults={number: fault})
        try:
            first = submit(fake, mantle, folder)
        except (KilledError, CloudError):
            first = None
        # What is lost at the very end is found by the first submission already.
        record = CloudRecord(folder)
        arn = submitted_before(open_weight(), record) or submit(fake, mantle, folder)
        assert first in (None, arn)
        assert [job.id for job in mantle.made] == [arn], (number, mantle.calls)
        assert len(mantle.uploads) == 1, (number, mantle.calls)


def test_a_job_of_somebody_else_with_the_same_file_is_never_taken_for_ours(tmp_path: Path) -> None:
    fake, mantle = submitted(tmp_path / "theirs")
    job = submit(fake, mantle, tmp_path / "ours")
    assert [each.id for each in mantle.made] == ["ftjob-0", job]
    assert len(mantle.uploads) == 1


def test_a_lost_job_of_another_request_is_named_and_no_other_is_bought(tmp_path: Path) -> None:
    fake, whole = submitted(tmp_path / "whole")
    mantle = FakeMantle(faults={len(whole.calls) - 1: "after"})
    with pytest.raises(KilledError):
        submit(fake, mantle, tmp_path)
    with pytest.raises(CloudError, match="whose answer was lost"):
        submit(fake, mantle, tmp_path, "method.reinforcement.hyperparameters.n_epochs=2")
    assert len(mantle.made) == 1


def pulled(fake: FakeAws, mantle: FakeMantle, folder: Path) -> Any:
    job = CloudRecord(folder).get("job")["arn"]
    return pull_fine_tuning(fake.aws(), mantle.mantle(), job, folder=folder)


def test_events_come_into_the_run_and_again_only_the_new_ones(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    fake, mantle = submitted(folder)
    mantle.written += metrics(range(1, 6))
    assert pulled(fake, mantle, folder).last_step == 5
    mantle.written += metrics(range(6, 8))
    mantle.made[0]["status"] = "succeeded"
    mantle.made[0] |= {"finished_at": 1_800_003_600, "fine_tuned_model": "ft:x"}
    found = pulled(fake, mantle, folder)
    assert (found.status, found.last_step) == ("Completed", 7)
    run = Run.open(folder)
    assert [event["id"] for event in run.folder.read_events()] == [
        f"ftevent-{step}" for step in range(1, 8)
    ]
    assert run.lines[0] == {"step": 1, "total_steps": 67, "critic_rewards_mean": 0.01}
    assert run.record["model_arn"] == "ft:x"
    assert (folder / "checkpoints.json").is_file()
    (curves,) = read_curves(folder)
    assert (curves.kind, curves.total_steps, curves.prompts_per_step) == ("mantle", 67, 4)


def test_the_file_goes_with_the_job_and_a_job_that_goes_on_keeps_it(tmp_path: Path) -> None:
    fake, mantle = submitted(tmp_path)
    record = CloudRecord(tmp_path)
    with pytest.raises(CloudError, match="the job goes on"):
        what_is_ours(fake.aws(), record, mantle.mantle())
    mantle.made[0]["status"] = "cancelled"
    things = what_is_ours(fake.aws(), record, mantle.mantle())
    assert [kind for kind, _ in things] == ["file", "function", "role"]
    assert clean(fake.aws(), things, record, mantle=mantle.mantle()) == []
    assert mantle.uploads == []
    assert record.owned() == []


def test_a_job_is_found_by_its_id_where_open_weights_are_tuned(tmp_path: Path) -> None:
    found = job_named("ftjob-1", parent=tmp_path)
    assert (found.region, found.is_open_weight) == ("us-west-2", True)


def test_a_key_is_taken_from_the_environment_else_made_and_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "from-the-environment")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    made = open_mantle("us-west-2")
    assert str(made.client.base_url) == "https://bedrock-mantle.us-west-2.api.aws/v1/"
    assert made._clean("no from-the-environment here") == "no *** here"
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setitem(sys.modules, "aws_bedrock_token_generator", None)
    with pytest.raises(CloudError, match="mantle"):
        open_mantle("us-west-2")
    generator = SimpleNamespace(provide_token=lambda region: f"key-of-{region}")
    monkeypatch.setitem(sys.modules, "aws_bedrock_token_generator", generator)
    assert open_mantle("us-west-2").client.api_key == "key-of-us-west-2"
