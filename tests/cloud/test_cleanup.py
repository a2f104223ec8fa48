"""Deployments, and taking away what is ours: in reverse, once, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from bedrock_rft_sim.cli.clean import KINDS as OFFERED
from bedrock_rft_sim.cloud.cleanup import KINDS, clean, what_is_ours
from bedrock_rft_sim.cloud.deploy import converse_command, deploy
from bedrock_rft_sim.cloud.record import CloudRecord
from bedrock_rft_sim.cloud.submit import Wishes, perform
from bedrock_rft_sim.errors import CloudError
from tests.cloud.fake_aws import FakeAws, KilledError
from tests.cloud.submissions import fake_aws, submission
from tests.cloud.test_pull import end


def deployed(folder: Path) -> FakeAws:
    fake, record = fake_aws(submission()), CloudRecord(folder)
    perform(fake.aws(), submission(), record, Wishes(create_role=True))
    end(fake)
    deploy(fake.aws(), described(fake), record, name="mine")
    return fake


def described(fake: FakeAws) -> dict[str, object]:
    found: dict[str, object] = fake._get_model_customization_job("quickstart")
    return found


def clean_all(fake: FakeAws, folder: Path, *keep: str) -> list[tuple[str, str]]:
    record = CloudRecord(folder)
    return clean(fake.aws(), what_is_ours(fake.aws(), record), record, keep=keep)


def test_a_deployment_is_waited_for_and_made_once(tmp_path: Path) -> None:
    fake = deployed(tmp_path)
    arn = deploy(fake.aws(), described(fake), CloudRecord(tmp_path), name="mine")
    assert fake.calls.count("bedrock.create_custom_model_deployment") == 1
    assert CloudRecord(tmp_path).state("deployment", "mine") == "made"
    assert f"--model-id {arn}" in converse_command(arn, region="us-east-1")


def test_a_lost_answer_or_a_kill_makes_no_second_deployment(tmp_path: Path) -> None:
    for fault in ("after", "timeout"):
        folder = tmp_path / fault
        fake, record = fake_aws(submission()), CloudRecord(folder)
        perform(fake.aws(), submission(), record, Wishes(create_role=True))
        end(fake)
        fake.faults = {len(fake.calls) + 1: fault}
        with pytest.raises((KilledError, CloudError)):
            deploy(fake.aws(), described(fake), record, name="mine")
        deploy(fake.aws(), described(fake), CloudRecord(folder), name="mine")
        assert list(fake.deployments) == ["mine"]
        assert CloudRecord(folder).state("deployment", "mine") == "made"


def test_a_job_without_a_model_and_a_name_in_use_can_not_be_deployed(tmp_path: Path) -> None:
    fake = deployed(tmp_path)
    job = described(fake)
    with pytest.raises(CloudError, match="no model to deploy"):
        deploy(fake.aws(), {**job, "outputModelArn": None}, CloudRecord(tmp_path), name="mine")
    with pytest.raises(CloudError, match="another model's"):
        deploy(fake.aws(), {**job, "outputModelArn": "x"}, CloudRecord(tmp_path), name="mine")


def test_everything_of_ours_goes_in_reverse_and_nothing_else(tmp_path: Path) -> None:
    fake = deployed(tmp_path)
    fake.buckets["my-bucket"]["theirs.jsonl"] = {"Body": b"", "Metadata": {}}
    things = what_is_ours(fake.aws(), CloudRecord(tmp_path))
    kinds = ["deployment", "model", "object", "object", "function", "role", "role"]
    assert [kind for kind, _ in things] == kinds
    assert clean_all(fake, tmp_path) == []
    assert (fake.deployments, fake.functions, fake.roles) == ({}, {}, {})
    assert list(fake.buckets["my-bucket"]) == ["theirs.jsonl"]
    assert CloudRecord(tmp_path).owned() == []
    assert what_is_ours(fake.aws(), CloudRecord(tmp_path)) == []


def test_what_is_gone_already_is_fine_and_what_is_kept_stays_ours(tmp_path: Path) -> None:
    fake = deployed(tmp_path)
    fake.deployments.clear()
    fake.functions.clear()
    fake.roles.pop("BedrockRFTRole")
    left = clean_all(fake, tmp_path, "object")
    assert [kind for kind, _ in left] == ["object", "object"]
    assert [each["kind"] for each in CloudRecord(tmp_path).owned()] == ["object", "object"]


def test_an_object_that_somebody_wrote_since_stays(tmp_path: Path) -> None:
    fake = deployed(tmp_path)
    fake.buckets["my-bucket"]["train.jsonl"] = {"Body": b"new", "Metadata": {}}
    assert clean_all(fake, tmp_path) == [("object", "s3://my-bucket/train.jsonl")]
    assert fake.buckets["my-bucket"]["train.jsonl"]["Body"] == b"new"


def test_nothing_is_deleted_under_a_job_that_goes_on(tmp_path: Path) -> None:
    fake = deployed(tmp_path)
    fake.jobs["quickstart"]["status"] = "InProgress"
    with pytest.raises(CloudError, match="the job goes on"):
        clean_all(fake, tmp_path)


def test_a_clean_that_is_killed_at_any_call_is_ended_by_the_next(tmp_path: Path) -> None:
    whole = deployed(tmp_path / "whole")
    before = len(whole.calls)
    clean_all(whole, tmp_path / "whole")
    for number in range(len(whole.calls) - before):
        folder = tmp_path / str(number)
        fake = deployed(folder)
        fake.faults = {len(fake.calls) + number: "after"}
        with pytest.raises(KilledError):
            clean_all(fake, folder)
        assert clean_all(fake, folder) == []
        assert (fake.deployments, fake.functions, fake.roles) == ({}, {}, {})
        assert fake.buckets["my-bucket"] == {}


def test_the_command_line_offers_to_keep_each_kind() -> None:
    assert OFFERED == KINDS
