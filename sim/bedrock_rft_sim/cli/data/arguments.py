"""Arguments that several sub-verbs of `rft data` share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bedrock_rft_sim.data.prepare.output import Output


def add_output(verb: argparse.ArgumentParser, *, help: str = "the file to write") -> None:  # noqa: A002  argparse's word
    """Add -o and --force: where an operation writes."""
    verb.add_argument("-o", "--out", type=Path, required=True, metavar="PATH", help=help)
    verb.add_argument("--force", action="store_true", help="replace a file that exists")


def positive(text: str) -> int:
    """Return a whole number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def add_seed(verb: argparse.ArgumentParser) -> None:
    """Add --seed."""
    verb.add_argument("--seed", type=int, default=42, help="seed of every draw (default 42)")


def add_reporting(verb: argparse.ArgumentParser) -> None:
    """Add --json and --debug."""
    verb.add_argument("--json", action="store_true", help="print the result as JSON")
    verb.add_argument("--debug", action="store_true", help="show the traceback of an error")


def told(output: Output) -> str:
    """Return what was written and left out, in a few lines."""
    lines = [f"{output.path}  {output.written:,} records, {output.dropped:,} rows left out"]
    for drops in output.manifest()["drops"]:
        shown = ", ".join(map(str, drops["lines"][:5]))
        more = ", ..." if drops["count"] > 5 else ""  # noqa: PLR2004
        lines.append(f"  {drops['count']:,} x {drops['reason']}: line {shown}{more}")
    return "\n".join(lines)
