"""Arguments that several sub-verbs of `rft data` share."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_output(verb: argparse.ArgumentParser, *, help: str = "the file to write") -> None:  # noqa: A002  argparse's word
    """Add -o and --force: where an operation writes."""
    verb.add_argument("-o", "--out", type=Path, required=True, metavar="PATH", help=help)
    verb.add_argument("--force", action="store_true", help="replace a file that exists")


def add_seed(verb: argparse.ArgumentParser) -> None:
    """Add --seed."""
    verb.add_argument("--seed", type=int, default=42, help="seed of every draw (default 42)")


def add_reporting(verb: argparse.ArgumentParser) -> None:
    """Add --json and --debug."""
    verb.add_argument("--json", action="store_true", help="print the result as JSON")
    verb.add_argument("--debug", action="store_true", help="show the traceback of an error")
