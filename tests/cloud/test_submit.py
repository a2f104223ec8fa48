"""Submissions to an AWS in memory: what is made once, whatever goes wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bedrock_rft_sim import cli, cloud
from bedrock_rft_sim.cloud.account import ACTIONS, POLICY
from bedrock_rft_sim.cloud.policies import policies
from bedrock_rft_sim.cloud.record import CloudRecord
from bedrock_rft_sim.cloud.steps import SubmissionPlan
from bedrock_rft_sim.cloud.submit import Wishes, perform, plan_submission
from bedrock_rft_sim.errors import CloudError
from tests.cloud.fake_aws import FakeAws, KilledError
from tests.cloud.submissions import fake_aws, graded, submission

WISHES = Wishes(create_role=True)
SECRET = "hunter2-hunter2"
CALL = re.compile(r'"(bedrock|iam|lambda|logs|s3|sts)",\s*"([A-Z]\w+)"')


def planned(fake: FakeAws, folder: Path, wishes: Wishes = WISHES, *sets: str) -> SubmissionPlan:
    return plan_submission(fake.aws(), submission(*sets), CloudRecord(folder), wishes)


def submit(fake: FakeAws, folder: Path, wishes: Wishes = WISHES, *sets: str) -> str:
    prepared, record, aws = submission(*sets), CloudRecord(folder), fake.aws()
    found = plan_submission(aws, prepared, record, wishes)
    assert found.blockers == ()
    return perform(aws, prepared, record, wishes)


def changes(found: SubmissionPlan) -> list[tuple[str, str]]:
    return [(step.kind, step.change) for step in found.steps]


def test_a_plan_names_every_step_in_order_and_changes_nothing(tmp_path: Path) -> None:
    fake = fake_aws(submission())
    assert changes(planned(fake, tmp_path)) == [
        ("role", "create"),
        ("role", "create"),
        ("function", "create"),
        ("proof", "invoke"),
        ("object", "upload"),
        ("object", "upload"),
        ("job", "submit"),
    ]
    reads = ("get_", "head_", "list_", "simulate_")
    assert [c for c in fake.calls if not c.partition(".")[2].startswith(reads)] == []
    assert list(tmp_path.iterdir()) == []


def test_the_version_is_what_is_sent_and_the_record_says_what_is_ours(tmp_path: Path) -> None:
    fake = fake_aws(submission())
    arn = submit(fake, tmp_path)
    (job,) = fake.jobs.values()
    grader = job["customizationConfig"]["rftConfig"]["graderConfig"]["lambdaGrader"]
    assert grader["lambdaArn"].endswith(":function:gsm8k-reward:1")
    record = CloudRecord(tmp_path)
    assert record.get("job")["arn"] == arn
    assert record.get("job")["token"] == job["clientRequestToken"]
    assert [(each["kind"], each["state"]) for each in record.owned()] == [
        ("role", "made"),
        ("role", "made"),
        ("function", "made"),
        ("object", "made"),
        ("object", "made"),
    ]


def calls_of_a_submission(folder: Path) -> int:
    fake = fake_aws(submission())
    submit(fake, folder)
    return len(fake.calls)


@pytest.mark.parametrize("fault", ["before", "after", "throttled", "error", "timeout", "denied"])
def test_whatever_fails_at_whichever_call_the_second_submission_ends_with_one_of_each(
    fault: str, tmp_path: Path
) -> None:
    calls = calls_of_a_submission(tmp_path / "whole")
    assert calls > 20
    for number in range(calls):
        fake, folder = fake_aws(submission()), tmp_path / str(number)
        fake.faults = {number: fault}
        # A plan that a fault spoils is no submission, and one without fault must go through.
        with pytest.raises((KilledError, CloudError)):
            submit(fake, folder)
        arn = submit(fake, folder)
        assert fake.bought == 1, fake.calls
        assert [job["jobArn"] for job in fake.jobs.values()] == [arn]
        assert {name: len(made) for name, made in fake.versions.items()} == {"gsm8k-reward": 1}
        assert sorted(fake.buckets["my-bucket"]) == ["train.jsonl", "validation.jsonl"]
        assert sorted(fake.roles) == ["BedrockRFTRole", "gsm8k-reward-execution"]
        assert all(role["policies"] for role in fake.roles.values())
        owned = CloudRecord(folder).owned()
        assert [each["state"] for each in owned] == ["made"] * 5, (number, owned)


def test_a_timeout_after_acceptance_is_asked_again_with_the_same_token(tmp_path: Path) -> None:
    fake = fake_aws(submission())
    create = calls_of_a_submission(tmp_path / "whole") - 1
    fake.faults = {create: "timeout"}
    with pytest.raises(CloudError, match="ReadTimeoutError"):
        submit(fake, tmp_path)
    assert CloudRecord(tmp_path).get("job")["arn"] is None
    assert "same token" in planned(fake, tmp_path).steps[-1].words
    submit(fake, tmp_path)
    assert fake.bought == 1


def test_a_grader_that_differs_stops_before_the_data_with_the_first_row(tmp_path: Path) -> None:
    prepared = submission()
    sample = prepared.cases[0].samples[1].id
    fake = FakeAws(grade=lambda event: graded(prepared, event, **{sample: 0.5}))
    with pytest.raises(CloudError) as error:
        submit(fake, tmp_path)
    assert repr(sample) in str(error.value)
    assert "score 0.5" in str(error.value)
    assert fake.bought == 0
    assert fake.buckets["my-bucket"] == {}


def test_a_deployed_handler_that_fails_is_a_difference(tmp_path: Path) -> None:
    fake = FakeAws(grade=lambda _event: b"[]")
    with pytest.raises(CloudError, match="all 12 samples"):
        submit(fake, tmp_path)


def test_an_equal_function_is_only_published_and_others_variables_stay(tmp_path: Path) -> None:
    fake = fake_aws(submission())
    submit(fake, tmp_path / "first")
    fake.jobs.clear()
    assert ("function", "keep") in changes(planned(fake, tmp_path / "second"))
    wanted = fake.functions["gsm8k-reward"]["Runtime"]
    fake.functions["gsm8k-reward"] |= {"Timeout": 77, "Runtime": "python3.8"}
    fake.functions["gsm8k-reward"]["Environment"] = {"Variables": {"KEY": SECRET}}
    found = planned(fake, tmp_path / "second")
    (step,) = [each for each in found.steps if each.kind == "function"]
    assert "Timeout 77 becomes 3" in step.words
    assert f"Runtime python3.8 becomes {wanted}" in step.words
    submit(fake, tmp_path / "second")
    assert fake.functions["gsm8k-reward"]["Runtime"] == wanted
    assert fake.functions["gsm8k-reward"]["Environment"] == {"Variables": {"KEY": SECRET}}
    record = CloudRecord(tmp_path / "second")
    assert record.owned() == []
    assert SECRET not in record.path.read_text()


def test_another_object_is_never_overwritten_unasked(tmp_path: Path) -> None:
    fake = fake_aws(submission())
    mine = {"Body": b"mine", "Metadata": {}}
    fake.buckets["my-bucket"]["train.jsonl"] = mine
    (blocker,) = planned(fake, tmp_path).blockers
    assert "--existing replace" in blocker
    kept = Wishes(create_role=True, existing="keep")
    submit(fake, tmp_path, kept)
    assert fake.buckets["my-bucket"]["train.jsonl"] == mine
    fake.jobs.clear()
    submit(fake, tmp_path / "again", Wishes(create_role=True, existing="replace"))
    assert fake.buckets["my-bucket"]["train.jsonl"] != mine
    assert CloudRecord(tmp_path / "again").state("object", "s3://my-bucket/train.jsonl") is None


def test_an_equal_object_without_a_hash_is_recognised_by_its_content(tmp_path: Path) -> None:
    fake, train = fake_aws(submission()), submission().objects[0]
    assert isinstance(train.source, bytes)
    fake.buckets["my-bucket"]["train.jsonl"] = {"Body": train.source, "Metadata": {}}
    assert changes(planned(fake, tmp_path))[4] == ("object", "keep")


def test_names_that_are_taken_missing_buckets_and_roles_stand_in_the_way(tmp_path: Path) -> None:
    fake = fake_aws(submission())
    fake.jobs["quickstart"] = {"customModelName": "quickstart", "jobArn": "theirs"}
    fake.buckets.clear()
    blockers = planned(fake, tmp_path, Wishes()).blockers
    assert any("there is no role BedrockRFTRole; --create-role" in each for each in blockers)
    assert any("there is no bucket my-bucket" in each for each in blockers)
    assert any("a job quickstart is there already" in each for each in blockers)


def test_another_account_is_refused_before_anything_is_looked_at(tmp_path: Path) -> None:
    arn = "roleArn=arn:aws:iam::999999999999:role/Other"
    fake = fake_aws(submission())
    (blocker,) = planned(fake, tmp_path, WISHES, arn).blockers
    assert "999999999999" in blocker
    assert fake.calls == ["sts.get_caller_identity"]


def test_an_existing_role_is_compared_and_never_edited(tmp_path: Path) -> None:
    fake = fake_aws(submission())
    theirs = {"Arn": "arn", "AssumeRolePolicyDocument": {"Statement": []}, "policies": {}}
    fake.roles["BedrockRFTRole"] = theirs
    (blocker,) = planned(fake, tmp_path).blockers
    assert "does not let bedrock.amazonaws.com take it on" in blocker
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "bedrock.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    theirs["AssumeRolePolicyDocument"] = {"Statement": [allow]}
    fake.denied_actions = ("s3:PutObject",)
    (warning,) = planned(fake, tmp_path).warnings
    assert "may not s3:PutObject on arn:aws:s3:::my-bucket/output/" in warning
    submit(fake, tmp_path)
    assert theirs["policies"] == {}
    assert CloudRecord(tmp_path).state("role", "BedrockRFTRole") is None


def test_a_denied_call_names_the_action_and_the_policy(tmp_path: Path) -> None:
    fake = fake_aws(submission())
    fake.faults = {1: "denied"}
    with pytest.raises(CloudError) as error:
        planned(fake, tmp_path)
    assert "AWS refuses iam:GetRole: AccessDeniedException" in str(error.value)
    assert "cloud-caller.json" in str(error.value)


def test_the_policy_allows_every_call_that_the_source_names_and_no_other() -> None:
    documents = policies(submission().settings, calls_a_judge=False)
    (policy,) = [each.document for each in documents if each.name == POLICY]
    allowed = {action for each in policy["Statement"] for action in each["Action"]}
    rooms = [Path(room.__file__).parent.glob("*.py") for room in (cloud, cli)]
    text = "".join(path.read_text() for room in rooms for path in room)
    called = {f"{service}:{operation}" for service, operation in CALL.findall(text)}
    # What a request asks of others on the caller's account: tags, and roles to pass on.
    beside = {"bedrock:TagResource", "iam:PassRole"}
    assert {ACTIONS.get(name, name) for name in called} | beside == allowed


def test_a_new_role_is_waited_for_and_an_old_one_is_not(tmp_path: Path) -> None:
    fake = fake_aws(submission())
    fake.young = 3
    submit(fake, tmp_path / "new")
    assert fake.calls.count("lambda.create_function") == 4
    fake.jobs.clear()
    fake.young = 1
    with pytest.raises(CloudError, match="cannot be assumed"):
        submit(fake, tmp_path / "old")
    assert fake.calls.count("bedrock.create_model_customization_job") == 2


def test_a_recipe_that_names_a_version_is_sent_with_it(tmp_path: Path) -> None:
    fake = fake_aws(submission())
    submit(fake, tmp_path / "first")
    fake.jobs.clear()
    path = "customizationConfig.rftConfig.graderConfig.lambdaGrader.lambdaArn"
    pinned = f"{path}=arn:aws:lambda:us-east-1:123456789012:function:gsm8k-reward:1"
    before = json.dumps(fake.versions, default=str)
    submit(fake, tmp_path / "second", WISHES, pinned)
    assert json.dumps(fake.versions, default=str) == before


def test_a_secret_variable_is_in_no_error(tmp_path: Path) -> None:
    from tests.cloud.fake_aws import refusal

    aws = fake_aws(submission()).aws()
    aws.secrets = (SECRET,)
    error = aws._refusal("lambda:X", refusal("Bad", f"no {SECRET}", "X").response)
    assert SECRET not in str(error)
