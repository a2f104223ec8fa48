"""`rft data`: from raw data to a file that Bedrock accepts, one sub-verb per operation."""

from __future__ import annotations

from typing import Any

from bedrock_rft_sim.cli.arguments import add_reporting
from bedrock_rft_sim.cli.data import augment, balance, check, clean, convert, split

# In the order of the help page; each adds its arguments and returns its parser.
OPERATIONS = (
    *(convert.add_gsm8k, convert.add_from, convert.add_logs),
    *(check.add_to, clean.add_to, balance.add_to, augment.add_to, split.add_to),
)


def add_to(verbs: Any) -> None:
    """Add the verb and its sub-verbs to the command line."""
    verb = verbs.add_parser(
        "data",
        help="prepare a data file: convert, check, clean, balance, augment, split",
        description="Every file written has a manifest beside it (NAME.manifest.json): what it was "
        "made from, how, and which rows were left out, why and on which line.",
    )
    below = verb.add_subparsers(title="operations", required=True, metavar="OPERATION")
    for add in OPERATIONS:
        operation = add(below)
        add_reporting(operation)
        operation.set_defaults(parser=operation)
