"""`rft audit`: does this reward pay for right answers, for nothing else, and always the same?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bedrock_rft_sim.cli.arguments import (
    EXIT_FAILED,
    add_flag,
    add_function,
    add_number,
    add_path,
    add_profile,
    add_repeatable,
    print_result,
)
from bedrock_rft_sim.contract.limits import (
    LAMBDA_MEMORY_MB_MIN,
    LAMBDA_TIMEOUT_S_DEFAULT,
    SAMPLES_PER_EVENT,
)
from bedrock_rft_sim.contract.payload_profiles import DEFAULT_PROFILE

if TYPE_CHECKING:
    from bedrock_rft_sim.grader.reward import RewardFile

HELP = "audit a reward on a data file: hackability, determinism, spread, cost"
DESCRIPTION = "Exit code 1: an error was found that is not waived."
RESULT = "the report, with events,"


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    verb.add_argument(
        "reward", metavar="REWARD", help="a shipped name, a .py file, a folder or a .zip"
    )
    add_path(verb, "--data", "RFT rows, JSONL", required=True)
    add_profile(verb, default=DEFAULT_PROFILE)
    add_flag(verb, "--wrap", 'send a plain string as {"text": ...} (open weights)')
    add_path(verb, "--answers", "JSONL of id and answer that a model wrote, to judge the spread by")
    verb.add_argument("--seed", type=int, default=0, help="draws rows (default 0)")
    _add_function_options(verb)
    add_audit_options(verb)


def add_audit_options(verb: argparse.ArgumentParser) -> None:
    """Add what `rft check` and `rft audit` share."""
    good = "JSONL of id and answer: good replies in the form that this reward reads"
    add_path(verb, "--replies", good)
    waive = "let a check's findings stand, for a reason that is printed"
    add_repeatable(verb, "--waive", "CHECK=REASON", waive, type=_waiver)
    fewer = "audit with N rows at most: fewer invocations of a slow or paid reward"
    add_number(verb, "--rows", fewer)
    event = "print the event of each finding, for the Lambda console's test pane"
    add_flag(verb, "--evidence", event)


def run(arguments: argparse.Namespace) -> int:
    """Audit the reward and print the report."""
    from bedrock_rft_sim.cli.audit_text import report_lines
    from bedrock_rft_sim.data import read_rows
    from bedrock_rft_sim.grader.audit import AuditSettings, audit
    from bedrock_rft_sim.grader.audit.saved_answers import read_answers, read_replies

    arguments.progress.at(f"reading {arguments.data}")
    report = audit(
        _reward(arguments),
        list(read_rows(arguments.data)),
        settings=AuditSettings(seed=arguments.seed, rows=arguments.rows),
        replies=None if arguments.replies is None else read_replies(arguments.replies),
        waivers=dict(arguments.waive),
        saved=() if arguments.answers is None else read_answers(arguments.answers),
        progress=lambda words: arguments.progress.at(f"audit: {words}"),
    )
    lines = report_lines(report, reward=arguments.reward, evidence=arguments.evidence)
    print_result(arguments, report.as_json(), lines)
    return 0 if report.ok else EXIT_FAILED


def _add_function_options(verb: argparse.ArgumentParser) -> None:
    add_function(verb, timeout_s=LAMBDA_TIMEOUT_S_DEFAULT, memory_mb=LAMBDA_MEMORY_MB_MIN)
    size = f"samples per event (default {SAMPLES_PER_EVENT}; Bedrock's own number is not known)"
    add_number(verb, "--batch", size, default=SAMPLES_PER_EVENT)
    credentials = "let the handler use this machine's AWS credentials (a judge needs them)"
    add_flag(verb, "--pass-aws-credentials", credentials)


def _reward(arguments: argparse.Namespace) -> RewardFile:
    from bedrock_rft_sim.grader.reward import RewardFile, reward_path
    from bedrock_rft_sim.grader.samples import LambdaLimits

    return RewardFile(
        reward_path(arguments.reward),
        handler=arguments.handler,
        limits=LambdaLimits(
            timeout_s=arguments.timeout,
            memory_mb=arguments.memory,
            samples_per_event=arguments.batch,
        ),
        profile=arguments.profile,
        wrap=arguments.wrap,
        environment=dict(arguments.env),
        pass_aws_credentials=arguments.pass_aws_credentials,
    )


def _waiver(text: str) -> tuple[str, str]:
    name, _, reason = text.partition("=")
    if not reason.strip():
        raise argparse.ArgumentTypeError(f"expected CHECK=REASON, found {text!r}")
    return name, reason
