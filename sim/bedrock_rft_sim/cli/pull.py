"""`rft pull`: a job on Bedrock as a run folder, beside the rehearsals of it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from bedrock_rft_sim.cli.arguments import EXIT_FAILED, add_flag, add_number, add_path, print_result
from bedrock_rft_sim.cli.terminal import say
from bedrock_rft_sim.contract.statuses import COMPLETED

if TYPE_CHECKING:
    from bedrock_rft_sim.cloud.pull import PulledJob

EVERY_S = 60
HELP = "a job on Bedrock as a run folder: status, metrics, the grader's log"
DESCRIPTION = """What is pulled again is only added to. rft report and rft compare read the folder.
Exit code 1: the job failed or was stopped. Needs the extra `aws` and boto3's credentials."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    add_job(verb)
    add_flag(verb, "--watch", "pull until the job has ended")
    every = f"seconds between two pulls of --watch (default {EVERY_S})"
    add_number(verb, "--every", every, metavar="SECONDS", default=EVERY_S)


def add_job(verb: argparse.ArgumentParser) -> None:
    """Add a job and the folder of jobs."""
    named = "a job: the name of its folder, its ARN, its name or its id"
    verb.add_argument("job", metavar="JOB", help=named)
    add_path(verb, "--out", "where the jobs' folders are (default cloud)", metavar="DIR")


def run(arguments: argparse.Namespace) -> int:
    """Pull once, or until the job has ended."""
    for found in _pulls(arguments, _puller(arguments)):
        say(_now(found))
    print_result(arguments, found.as_json(), _lines(found))
    return 0 if found.goes_on or found.status == COMPLETED else EXIT_FAILED


def _puller(arguments: argparse.Namespace) -> Callable[[], PulledJob]:
    """Return what pulls the job, whichever service it is at."""
    from bedrock_rft_sim.cloud.account import open_aws
    from bedrock_rft_sim.cloud.mantle import open_mantle
    from bedrock_rft_sim.cloud.pull import job_named, pull
    from bedrock_rft_sim.cloud.pull_fine_tuning import pull_fine_tuning
    from bedrock_rft_sim.cloud.record import CLOUD

    parent = arguments.out or CLOUD
    job = job_named(arguments.job, parent=parent)
    aws = open_aws(job.region)
    if not job.is_open_weight:
        at = parent if job.folder is None else job.folder.parent
        return partial(pull, aws, job.identifier, parent=at)
    folder = job.folder or parent / job.identifier
    return partial(pull_fine_tuning, aws, open_mantle(job.region), job.identifier, folder=folder)


def _pulls(arguments: argparse.Namespace, pull: Callable[[], PulledJob]) -> Iterator[PulledJob]:
    """Yield the job as it is now, and with --watch each time it says something new."""
    found = pull()
    yield found
    while arguments.watch and found.goes_on:
        time.sleep(arguments.every)
        before, found = found, pull()
        if found != before:
            yield found


def _now(found: PulledJob) -> str:
    """Say how a job stands while it is watched."""
    known = "" if found.grader is None else f"; {found.grader['invocations']:,} grader invocations"
    return found.words + known


def _lines(found: PulledJob) -> Iterator[str]:
    steps = "no step" if found.last_step is None else f"{found.last_step:,} steps"
    yield f"job      {found.words}"
    yield f"run      {found.folder}, with the metrics of {steps}"
    if found.grader is not None:
        grader = found.grader
        failed = sum(grader["errors"].values())
        yield (
            f"grader   {grader['invocations']:,} invocations, {grader['p50_s'] * 1000:.0f} ms in "
            f"the middle, {grader['max_s'] * 1000:.0f} ms at most, {failed} failed"
        )
    yield from (f"note     {remark}" for remark in found.remarks)
