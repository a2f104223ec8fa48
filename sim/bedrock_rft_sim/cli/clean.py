"""`rft clean`: take away what was made on AWS for a job, and nothing else."""

from __future__ import annotations

import argparse

from bedrock_rft_sim.cli.arguments import EXIT_FAILED, add_flag, add_path, agreed, print_result
from bedrock_rft_sim.cli.terminal import say
from bedrock_rft_sim.errors import CloudError

KINDS = ("deployment", "model", "object", "file", "function", "role")
HELP = "delete what was made on AWS for a job, in reverse order"
DESCRIPTION = """Only what the job's cloud.json says was made here. Needs the extra `aws` and
boto3's credentials. Exit code 1: the job goes on, or AWS refuses."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    verb.add_argument("job", metavar="JOB", help="the name of the job's folder")
    add_path(verb, "--out", "where the jobs' folders are (default cloud)", metavar="DIR")
    kept = "a kind that stays (repeatable)"
    verb.add_argument("--keep", action="append", choices=KINDS, default=[], help=kept)
    add_flag(verb, "--yes", "delete without asking")


def run(arguments: argparse.Namespace) -> int:
    """List, ask, delete."""
    from bedrock_rft_sim.cloud.account import open_aws
    from bedrock_rft_sim.cloud.cleanup import COSTS, clean, what_is_ours
    from bedrock_rft_sim.cloud.mantle import open_mantle
    from bedrock_rft_sim.cloud.record import CLOUD, RECORD, folder_named, opened

    parent = arguments.out or CLOUD
    folder = folder_named(arguments.job, parent=parent)
    if folder is None:
        raise CloudError(
            "nothing was submitted here under this name",
            where=str(parent / arguments.job),
            expected=f"a folder with {RECORD}",
            hint="what was not made by rft submit is not deleted by it",
        )
    with opened(folder) as record:
        aws = open_aws(str(record.get("region")))
        is_mantle = record.get("dialect") == "openai"
        mantle = open_mantle(aws.region) if is_mantle else None
        things = what_is_ours(aws, record, mantle)
        for kind, name in things:
            say(f"{'keep' if kind in arguments.keep else 'delete':8} {kind} {name}")
        if things and not arguments.yes and not agreed("Delete?"):
            say("nothing was deleted")
            return EXIT_FAILED
        stays = clean(aws, things, record, keep=arguments.keep, mantle=mantle, say=say)
    lines = [f"stays    {kind} {name}; {COSTS.get(kind, 'it costs nothing')}"
             for kind, name in stays]  # fmt: skip
    done = f"{len(things) - len(stays)} deleted, {len(stays)} left"
    result = {"deleted": [each for each in things if each not in stays], "left": stays}
    print_result(arguments, result, [*lines, done])
    return 0
