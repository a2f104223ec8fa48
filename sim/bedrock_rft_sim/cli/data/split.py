"""`rft data split`: one file into several, without tearing a family apart."""

from __future__ import annotations

import argparse
import re
from fractions import Fraction
from pathlib import Path

from bedrock_rft_sim.cli.arguments import add_repeatable
from bedrock_rft_sim.cli.data.arguments import add_output, add_seed, print_written, values_of

DEFAULT = "train=0.8,validation=0.1,test=0.1"
HELP = "split a file into parts: seeded, stratified, grouped by parent"
DESCRIPTION = """Rows made from one row (parent_id) and rows that ask the same question stay in one
part."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    verb.add_argument("file", type=Path, metavar="FILE")
    parts = f"the parts; shares add up to 1 (default {DEFAULT})"
    verb.add_argument(
        "--parts", type=_shares, default=DEFAULT, metavar="NAME=SHARE,...", help=parts
    )
    add_repeatable(verb, "--by", "KEY", "keep the proportions of this key or feature in every part")
    add_output(verb, help="the folder to write into")
    add_seed(verb)


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
        **values_of(arguments, "seed", "by", "force"),
    )
    print_written(arguments, outputs)
    return 0
