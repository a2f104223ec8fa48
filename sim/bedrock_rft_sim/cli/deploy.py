"""`rft deploy`: a job's model, deployed so that it can be asked."""

from __future__ import annotations

import argparse

from bedrock_rft_sim.cli.arguments import print_result
from bedrock_rft_sim.cli.pull import add_job
from bedrock_rft_sim.cli.terminal import say
from bedrock_rft_sim.errors import CloudError

HELP = "deploy a job's model on demand and say how to ask it"
DESCRIPTION = """Waits until the deployment is Active; a tuned open-weight model needs none. Needs
the extra `aws` and boto3's credentials. Exit code 1: the job has no model, or the
deployment fails."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    add_job(verb)
    verb.add_argument("--name", help="the deployment's name (default the job's)")


def run(arguments: argparse.Namespace) -> int:
    """Deploy and print the ARN and a command that asks it."""
    from bedrock_rft_sim.cloud.account import open_aws
    from bedrock_rft_sim.cloud.deploy import converse_command, deploy
    from bedrock_rft_sim.cloud.mantle import open_mantle
    from bedrock_rft_sim.cloud.pull import describe, job_named
    from bedrock_rft_sim.cloud.pull_fine_tuning import retrieve
    from bedrock_rft_sim.cloud.record import CLOUD, opened

    parent = arguments.out or CLOUD
    named = job_named(arguments.job, parent=parent)
    if named.is_open_weight:
        model = retrieve(open_mantle(named.region), named.identifier).get("fine_tuned_model")
        if model is None:
            raise CloudError("the job has no model to ask", where=named.identifier)
        said = f"nothing to deploy: ask the model {model} at bedrock-mantle by this name"
        print_result(arguments, {"model": model}, [said])
        return 0
    aws = open_aws(named.region)
    job = describe(aws, named.identifier)
    name = arguments.name or str(job["jobName"])
    folder = named.folder or parent / str(job["jobName"])
    with opened(folder) as record:
        arn = deploy(aws, job, record, name=name, say=say)
    command = converse_command(arn, region=named.region)
    result = {"deployment_arn": arn, "converse": command}
    print_result(arguments, result, [f"deployed as {arn}", "", command])
    return 0
