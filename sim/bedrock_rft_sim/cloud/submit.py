"""Submit a recipe: look at everything first, then do what is missing, in an order that can stop.

Whatever was made stays made, and the same command again goes on from there; the job is last,
since it is what costs money.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bedrock_rft_sim.cloud.account import Aws, Identity, identity
from bedrock_rft_sim.cloud.bucket import Existing, make_object, plan_object
from bedrock_rft_sim.cloud.fine_tuning import (
    is_fine_tuning_of,
    make_file,
    make_fine_tuning,
    plan_file,
    plan_fine_tuning,
)
from bedrock_rft_sim.cloud.function_upload import make_function, plan_function
from bedrock_rft_sim.cloud.mantle import Mantle
from bedrock_rft_sim.cloud.nova import is_job_of, make_job, plan_job
from bedrock_rft_sim.cloud.prepared import Prepared
from bedrock_rft_sim.cloud.proof import prove
from bedrock_rft_sim.cloud.record import CloudRecord
from bedrock_rft_sim.cloud.role import execution_role, make_role, plan_role, service_role
from bedrock_rft_sim.cloud.steps import PlannedStep, SubmissionPlan, planned
from bedrock_rft_sim.errors import CloudError


@dataclass(frozen=True)
class Wishes:
    """What the user allows."""

    create_role: bool = False
    """Whether roles that are not there are made."""
    function_role: str | None = None
    """The name of a new function's role."""
    existing: Existing = "stop"


def plan_submission(
    aws: Aws, prepared: Prepared, record: CloudRecord, wishes: Wishes, mantle: Mantle | None = None
) -> SubmissionPlan:
    """Look at what AWS holds and say what will be done; nothing is changed.

    `mantle` is where a request for open weights goes.

    Raises:
        CloudError: AWS can't be asked.
    """
    who = identity(aws)
    blockers = tuple(_foreign(who, prepared))
    if blockers:  # whatever is found in another account would mislead
        return planned(who, aws.region, (), blockers)
    return planned(who, aws.region, tuple(_steps(aws, prepared, record, wishes, mantle)))


def _foreign(who: Identity, prepared: Prepared) -> Iterator[str]:
    named = {"roleArn": prepared.role and prepared.role.account}
    named["the grader's function"] = prepared.function.account
    for field, account in named.items():
        if account not in (None, who.account):
            yield (
                f"{field} is of account {account}, and you are {who.arn} of {who.account}; "
                "use that account's profile, or change the recipe"
            )


def _steps(
    aws: Aws, prepared: Prepared, record: CloudRecord, wishes: Wishes, mantle: Mantle | None
) -> Iterator[PlannedStep]:
    create = wishes.create_role
    if prepared.role is not None:
        yield plan_role(aws, service_role(prepared), record, create=create)
    execution = execution_role(prepared, wishes.function_role)
    function = plan_function(aws, prepared, role=execution.arn.name)
    if function.change == "create":
        yield plan_role(aws, execution, record, create=create)
    yield function
    answers = len(prepared.cases[0].samples)
    profiles = " and ".join(case.profile for case in prepared.cases)
    words = (
        f"invoke that version with {answers} answers, good and bad, as {profiles}; "
        "it must grade as the local one does, else nothing is submitted"
    )
    yield PlannedStep("proof", function.name, "invoke", words)
    if prepared.upload is None:
        for each in prepared.objects:
            yield plan_object(aws, each, wishes.existing)
        yield plan_job(aws, prepared, record)
    else:
        assert mantle is not None, "open weights go there"
        yield plan_file(mantle, prepared.upload)
        yield plan_fine_tuning(prepared, record)


def perform(
    aws: Aws,
    prepared: Prepared,
    record: CloudRecord,
    wishes: Wishes,
    mantle: Mantle | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> str:
    """Do what the plan says and return the job's ARN, or its id at bedrock-mantle.

    Raises:
        CloudError: AWS refuses, or the deployed grader grades otherwise than the local one.
    """
    record.set(
        dialect=prepared.recipe.dialect,
        region=aws.region,
        account=prepared.function.account,
        recipe_hash=prepared.recipe.recipe_hash,
        code_sha256=prepared.archive.code_sha256,
        data={each.what: each.sha256 for each in prepared.objects},
    )
    if prepared.role is not None:
        make_role(aws, service_role(prepared), record)
        say(f"role {prepared.role.name}")
    role = _function_role(aws, prepared, record, wishes)
    function = make_function(aws, prepared, record, role=role)
    say(f"function {function}")
    prove(aws, function, prepared.cases, timeout_s=prepared.settings.timeout_s)
    say("the deployed grader grades as the local one does")
    if prepared.upload is not None:
        assert mantle is not None, "open weights go there"
        file = make_file(mantle, prepared.upload, record)
        say(f"file {file}")
        return make_fine_tuning(mantle, prepared, record, function=function, file=file)
    for each in prepared.objects:
        make_object(aws, each, record, wishes.existing)
        say(f"data {each.place}")
    return make_job(aws, prepared, record, function=function)


def submitted_before(prepared: Prepared, record: CloudRecord) -> str | None:
    """Return the ARN or the id of the job that the recipe became; None where there is none yet.

    Raises:
        CloudError: the folder's job was submitted with another request.
    """
    dialect = record.get("dialect")
    if dialect not in (None, prepared.recipe.dialect):
        raise CloudError(
            "the folder holds a job of the other dialect",
            where=str(record.path),
            hint="give another --out",
        )
    job = record.get("job")
    if job is None or job["arn"] is None:
        return None
    is_of = is_job_of if prepared.upload is None else is_fine_tuning_of
    if is_of(prepared, job):
        return str(job["arn"])
    raise CloudError(
        "a job of this name was submitted with another request",
        where=str(record.path),
        found=str(job["arn"]),
        hint="give another --out; a job for Nova also needs another jobName and customModelName",
    )


def _function_role(aws: Aws, prepared: Prepared, record: CloudRecord, wishes: Wishes) -> str:
    """Make the role of a function that is not there; one that is there has its own."""
    name = prepared.function.name
    if aws.find("lambda", "GetFunctionConfiguration", FunctionName=name) is not None:
        return ""
    return make_role(aws, execution_role(prepared, wishes.function_role), record)
