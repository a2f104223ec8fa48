"""`rft data`: from raw data to a file that Bedrock accepts, one sub-verb per operation."""

from __future__ import annotations

from typing import Any

from bedrock_rft_sim.cli.data import augment, balance, check, clean, from_table, gsm8k, logs, split

# In the order of the help page; each module has `add_to(verbs)`, as the verbs above it do.
SUB_VERBS = (gsm8k, from_table, logs, check, clean, balance, augment, split)


def add_to(verbs: Any) -> None:
    """Add the verb and its sub-verbs to the command line."""
    verb = verbs.add_parser(
        "data",
        help="prepare a data file: convert, check, clean, balance, augment, split",
        description="Every file written has a manifest beside it (NAME.manifest.json): what it was "
        "made from, how, and which rows were left out, why and on which line.",
    )
    below = verb.add_subparsers(title="operations", required=True, metavar="OPERATION")
    for module in SUB_VERBS:
        module.add_to(below)
