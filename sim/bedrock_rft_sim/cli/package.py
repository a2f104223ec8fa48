"""`rft package`: a reward as the zip that Lambda takes, and what to tell AWS about it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bedrock_rft_sim.cli.arguments import add_function, add_path, print_result
from bedrock_rft_sim.cli.terminal import say
from bedrock_rft_sim.contract.limits import NOVA_RFT_MODELS, OPEN_WEIGHT_RFT_MODELS

if TYPE_CHECKING:
    from bedrock_rft_sim.cloud.packaged import Packaged
    from bedrock_rft_sim.cloud.policies import Policy

TIMEOUT_S = 60
MEMORY_MB = 512
HELP = "zip a reward for Lambda, the same bytes every time, and start it once"
DESCRIPTION = """Nothing is uploaded. Exit code 1: the reward can't be packed, is too large, or does
not start under the bare Lambda environment; then no zip is written."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    verb.add_argument("reward", metavar="REWARD", help="a shipped name, a .py file or a folder")
    verb.add_argument("-o", "--out", type=Path, default=Path("reward.zip"), metavar="ZIP")
    add_function(verb, timeout_s=TIMEOUT_S, memory_mb=MEMORY_MB)
    verb.add_argument("--name", help="name of the Lambda function (default the reward's own)")
    policies = "write the IAM policies here, and say what they are for"
    add_path(verb, "--policies", policies, metavar="DIR")


def run(arguments: argparse.Namespace) -> int:
    """Package the reward and print what goes with it."""
    from bedrock_rft_sim.cloud.packaged import package
    from bedrock_rft_sim.grader.reward import reward_path
    from bedrock_rft_sim.grader.samples import INIT_TIMEOUT_S

    reward = reward_path(arguments.reward)
    seconds = INIT_TIMEOUT_S + arguments.timeout
    say(f"starting {reward.name} once as Lambda would, for {seconds:g} seconds at most")
    packaged = package(
        reward,
        arguments.out,
        handler=arguments.handler,
        name=arguments.name,
        timeout_s=arguments.timeout,
        memory_mb=arguments.memory,
        environment=dict(arguments.env),
    )
    if arguments.policies is not None:
        from bedrock_rft_sim.cloud.policies import write_policies

        write_policies(packaged.policies, arguments.policies)
    print_result(arguments, packaged.as_json(), _lines(packaged, arguments.policies))
    return 0


def _lines(packaged: Packaged, folder: Path | None) -> list[str]:
    found = packaged.as_json()
    archive, started = packaged.archive, packaged.started
    files = "1 file" if len(archive.names) == 1 else f"{len(archive.names)} files"
    init = "" if started.seconds is None else f" in {started.seconds:.2f} s"
    return [
        f"start    {archive.handler} starts{init} under Python {started.python} "
        f"({started.client}), with the standard library and boto3 only; runtime "
        f"{packaged.function.runtime}, {_why(packaged)}",
        f"zip      {packaged.path} ({found['bytes']:,} bytes, {files}; Lambda will call it "
        f"CodeSha256 {found['code_sha256']})",
        *[f"  left out: {name}" for name in archive.left_out],
        *_next(packaged, folder),
    ]


def _next(packaged: Packaged, folder: Path | None) -> Iterator[str]:
    if folder is None:
        yield "next     --policies DIR writes the IAM policies and says how the function is made"
        return
    yield from _policies(packaged.policies, folder)
    yield f"next     in place of capitals your own; RFT is offered in {_regions()}:"
    yield f"  {packaged.create_command}"


def _policies(policies: Sequence[Policy], folder: Path) -> Iterator[str]:
    yield f"policies {folder}: {', '.join(f'{policy.name}.json' for policy in policies)}"
    yield "  " + "; ".join(f"{policy.name} for {policy.attach_to}" for policy in policies)


def _regions() -> str:
    nova = sorted({region for each in NOVA_RFT_MODELS.values() for region in each})
    open_weight = sorted({region for each in OPEN_WEIGHT_RFT_MODELS.values() for region in each})
    return f"{', '.join(nova)} for Nova and {', '.join(open_weight)} for open weights"


def _why(packaged: Packaged) -> str:
    if packaged.runtime_is_own:
        return "the Python it was started with here"
    return (
        f"the newest that Lambda offers; it was started with {packaged.started.python} here, "
        "so test it once on Lambda"
    )
