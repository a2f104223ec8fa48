"""`rft deploy`: a job's model, deployed so that it can be asked."""

from __future__ import annotations

import argparse
import sys

from bedrock_rft_sim.cli.arguments import print_result
from bedrock_rft_sim.cli.pull import add_job

HELP = "deploy a job's model on demand and say how to ask it"
DESCRIPTION = """Waits until the deployment is Active. Needs the extra `aws` and boto3's
credentials. Exit code 1: the job has no model, or the deployment fails."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    add_job(verb)
    verb.add_argument("--name", help="the deployment's name (default the job's)")


def run(arguments: argparse.Namespace) -> int:
    """Deploy and print the ARN and a command that asks it."""
    from bedrock_rft_sim.cloud.account import open_aws
    from bedrock_rft_sim.cloud.deploy import converse_command, deploy
    from bedrock_rft_sim.cloud.pull import describe, job_named
    from bedrock_rft_sim.cloud.record import CLOUD, opened

    parent = arguments.out or CLOUD
    named = job_named(arguments.job, parent=parent)
    aws = open_aws(named.region)
    job = describe(aws, named.identifier)
    name = arguments.name or str(job["jobName"])
    with opened(parent / str(job["jobName"])) as record:
        arn = deploy(aws, job, record, name=name, say=lambda words: print(words, file=sys.stderr))
    command = converse_command(arn, region=named.region)
    result = {"deployment_arn": arn, "converse": command}
    print_result(arguments, result, [f"deployed as {arn}", "", command])
    return 0
