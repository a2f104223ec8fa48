"""`rft data split`: one file into several, without tearing a family apart."""

from __future__ import annotations

import argparse
import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

from bedrock_rft_sim.cli.data.arguments import add_output, add_reporting, add_seed, told

DEFAULT = "train=0.8,validation=0.1,test=0.1"


def add_to(verbs: Any) -> None:
    """Add the sub-verb to the command line."""
    verb = verbs.add_parser(
        "split",
        help="split a file into parts: seeded, stratified, grouped by parent",
        description="Rows made from one row (parent_id) and rows that ask the same question stay "
        "in one part.",
    )
    verb.add_argument("file", type=Path, metavar="FILE")
    verb.add_argument(
        "--parts",
        type=_shares,
        default=DEFAULT,
        metavar="NAME=SHARE,...",
        help=f"the parts; shares add up to 1 (default {DEFAULT})",
    )
    verb.add_argument(
        "--by",
        action="append",
        default=[],
        metavar="KEY",
        help="keep the proportions of this key or feature in every part (repeatable)",
    )
    add_output(verb, help="the folder to write into")
    add_seed(verb)
    add_reporting(verb)
    verb.set_defaults(command=run)


def _shares(text: str) -> dict[str, float]:
    pairs = [part.partition("=") for part in text.split(",")]
    shares = {name.strip(): float(share) for name, _, share in pairs}
    if any(not re.fullmatch(r"[\w-]+", name) for name in shares) or len(shares) != len(pairs):
        raise argparse.ArgumentTypeError(f"{text}: each part needs a name of its own")
    if any(share <= 0 for share in shares.values()):
        raise argparse.ArgumentTypeError(f"{text}: a share is not above 0")
    if sum(Fraction(str(share)) for share in shares.values()) != 1:
        raise argparse.ArgumentTypeError(f"{text}: the shares do not add up to 1")
    return shares


def run(arguments: argparse.Namespace) -> int:
    """Split and print what was written."""
    from bedrock_rft_sim.data.prepare.split import split_file

    outputs = split_file(
        arguments.file,
        arguments.out,
        shares=arguments.parts,
        seed=arguments.seed,
        by=arguments.by,
        force=arguments.force,
    )
    if arguments.json:
        print(json.dumps([output.manifest() for output in outputs]))
    else:
        print("\n".join(told(output) for output in outputs))
    return 0
