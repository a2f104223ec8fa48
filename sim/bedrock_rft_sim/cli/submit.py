"""`rft submit`: the recipe that was rehearsed, as a job on AWS."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.cli.arguments import (
    EXIT_FAILED,
    add_flag,
    add_path,
    add_recipe,
    agreed,
    print_result,
)
from bedrock_rft_sim.cli.audit import add_audit_options
from bedrock_rft_sim.cli.check import audit_wanted, not_one_step, verdict
from bedrock_rft_sim.cli.estimate import bill_lines
from bedrock_rft_sim.cli.terminal import print_lines, say
from bedrock_rft_sim.errors import CloudError

if TYPE_CHECKING:
    from bedrock_rft_sim.cloud.prepared import Prepared
    from bedrock_rft_sim.cloud.steps import SubmissionPlan
    from bedrock_rft_sim.diagnosis.check import RecipeCheck

HELP = "submit the rehearsed recipe to AWS, with the grader proven in place"
DESCRIPTION = """What will happen is printed first, then asked for; the same command again goes on
where it was stopped, and never buys a second job. Needs the extra `aws` (`mantle` too for open
weights) and boto3's credentials.
Exit code 1: the check of the recipe failed, something stands in the way, or the deployed grader
grades otherwise than the local one."""
RESULT = "the plan, and the job's ARN,"


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    add_recipe(verb)
    add_flag(verb, "--plan", "print what will happen and stop; nothing is changed")
    add_flag(verb, "--yes", "submit without asking")
    add_flag(verb, "--create-role", "create the roles that are not there")
    name = "the role of a function that is not there (default FUNCTION-execution)"
    verb.add_argument("--function-role", metavar="NAME", help=name)
    other = "what is done with another object in the place of the data (default stop)"
    verb.add_argument("--existing", choices=("stop", "keep", "replace"), default="stop", help=other)
    add_path(verb, "--out", "where the job's folder is (default cloud)", metavar="DIR")
    add_audit_options(verb)


def run(arguments: argparse.Namespace) -> int:
    """Check, plan, ask, do."""
    from bedrock_rft_sim.cloud.account import open_aws
    from bedrock_rft_sim.cloud.mantle import open_mantle
    from bedrock_rft_sim.cloud.prepared import prepare
    from bedrock_rft_sim.cloud.record import CLOUD, CloudRecord, opened
    from bedrock_rft_sim.cloud.submit import Wishes, perform, plan_submission, submitted_before
    from bedrock_rft_sim.diagnosis.check import check
    from bedrock_rft_sim.grader.audit.saved_answers import read_replies
    from bedrock_rft_sim.recipe import load_recipe

    recipe = load_recipe(arguments.recipe, sets=arguments.sets)
    replies = None if arguments.replies is None else read_replies(arguments.replies)
    wanted = audit_wanted(arguments, recipe.local.seed)
    found = check(recipe, reward_audit=wanted, replies=replies)
    if not found.ok:
        say(f"{verdict(found)}; rft check says more")
        return EXIT_FAILED
    if found.estimate.job is None:
        raise CloudError(
            "the job would train nothing, so nothing was submitted",
            where=recipe.local.trainingData,
            found=not_one_step(found),
            hint="add records, or lower the batch size of the request",
        )
    prepared = prepare(recipe, found.data.train, replies=replies)
    aws = open_aws(prepared.function.region)
    aws.secrets = tuple(prepared.settings.environment.values())
    mantle = None if prepared.upload is None else open_mantle(aws.region)
    wishes = Wishes(arguments.create_role, arguments.function_role, arguments.existing)
    folder = (arguments.out or CLOUD) / recipe.name
    with nullcontext(CloudRecord(folder)) if arguments.plan else opened(folder) as record:
        before = submitted_before(prepared, record)
        if before is not None:
            print_result(arguments, {"job_arn": before}, [f"submitted before as {before}"])
            return 0
        plan = plan_submission(aws, prepared, record, wishes, mantle)
        lines = list(_lines(plan, prepared, found))
        if arguments.plan:
            print_result(arguments, {"plan": plan.as_json(), "job_arn": None}, lines)
            return EXIT_FAILED if plan.blockers else 0
        print_lines(lines, sys.stderr)
        if plan.blockers:
            raise CloudError("nothing was submitted", found="; ".join(plan.blockers))
        if not arguments.yes and not agreed("Submit?"):
            say("nothing was submitted")
            return EXIT_FAILED
        record.set(estimate=_estimate(found))
        arn = perform(aws, prepared, record, wishes, mantle, say=say)
    after = [f"submitted as {arn}", f"its record is {record.path}"]
    print_result(arguments, {"plan": plan.as_json(), "job_arn": arn}, after)
    return 0


def _estimate(found: RecipeCheck) -> dict[str, Any]:
    """Return what the job's grader is estimated to take, to be held against its log."""
    job = found.estimate.job
    if job is None:
        return {}
    return {
        "lambda_invocations": asdict(job.lambda_invocations),
        "gb_seconds": asdict(job.gb_seconds),
    }


def _lines(plan: SubmissionPlan, prepared: Prepared, found: RecipeCheck) -> Iterator[str]:
    yield f"account  {plan.identity.account}, as {plan.identity.arn}, in {plan.region}"
    for number, step in enumerate(plan.steps, start=1):
        head = "plan" if number == 1 else ""
        yield f"{head:8} {number}. {step.kind:8} {step.words}"
    for name, value in prepared.recipe.overrides.items():
        yield f"here     {name} = {value} stays at home (local.overrides)"
    if found.estimate.bill is not None:
        yield from bill_lines(found.estimate.bill)
        yield "  what is not known can be given to rft estimate"
    yield from (f"warning  {words}" for words in (*plan.warnings, *found.data_findings))
    yield from (f"blocked  {words}" for words in plan.blockers)
    if not plan.blockers:
        yield "verdict  nothing stands in the way; only the last step starts a training"
