"""`rft data`: from raw data to a file that Bedrock accepts, one sub-verb per operation."""

from __future__ import annotations

import argparse

from bedrock_rft_sim.cli.arguments import add_verbs
from bedrock_rft_sim.cli.data import augment, balance, check, clean, from_table, gsm8k, logs, split

HELP = "prepare a data file: convert, check, clean, balance, augment, split"
DESCRIPTION = """Every file written has a manifest beside it (NAME.manifest.json): what it was made
from, how, and which rows were left out, why and on which line."""
OPERATIONS = {
    "gsm8k": gsm8k,
    "from": from_table,
    "logs": logs,
    "check": check,
    "clean": clean,
    "balance": balance,
    "augment": augment,
    "split": split,
}
"""In the order of the help page."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add the sub-verbs."""
    add_verbs(verb, OPERATIONS, title="operations", metavar="OPERATION")
