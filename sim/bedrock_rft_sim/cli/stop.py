"""`rft stop`: stop a job on Bedrock."""

from __future__ import annotations

import argparse

from bedrock_rft_sim.cli.arguments import print_result
from bedrock_rft_sim.cli.pull import add_job

HELP = "stop a job on Bedrock"
DESCRIPTION = """Exit code 1: there is no such job, or it has ended already. Needs the extra `aws`
and boto3's credentials."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    add_job(verb)


def run(arguments: argparse.Namespace) -> int:
    """Stop the job and print its status."""
    from bedrock_rft_sim.cloud.account import open_aws
    from bedrock_rft_sim.cloud.mantle import open_mantle
    from bedrock_rft_sim.cloud.pull import describe, job_named
    from bedrock_rft_sim.cloud.record import CLOUD

    named = job_named(arguments.job, parent=arguments.out or CLOUD)
    if named.is_open_weight:
        job = open_mantle(named.region).call(
            "fine_tuning.jobs.cancel",
            lambda client: client.fine_tuning.jobs.cancel(named.identifier),
        )
        lines = [f"{job.id} is {job.status}"]
        print_result(arguments, {"job_arn": job.id, "status": job.status}, lines)
        return 0
    aws = open_aws(named.region)
    arn = str(describe(aws, named.identifier)["jobArn"])
    aws.call("bedrock", "StopModelCustomizationJob", jobIdentifier=arn)
    status = str(describe(aws, arn)["status"])
    print_result(arguments, {"job_arn": arn, "status": status}, [f"{arn} is {status}"])
    return 0
