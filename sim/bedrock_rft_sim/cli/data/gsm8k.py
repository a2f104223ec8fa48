"""`rft data gsm8k`: the official GSM8K as RFT files."""

from __future__ import annotations

import argparse

from bedrock_rft_sim.cli.arguments import add_number
from bedrock_rft_sim.cli.data.arguments import (
    add_output,
    add_seed,
    add_template,
    print_written,
    values_of,
)

HELP = "convert the official GSM8K to either published shape"
DESCRIPTION = """Write train.jsonl and test.jsonl (official split), or train.jsonl,
validation.jsonl and test.jsonl (80/10/10, the rows of AWS's Nova notebook)."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    source = "a folder or file with the official JSONL or parquet, or openai/gsm8k for the Hub"
    verb.add_argument("source", metavar="SOURCE", help=source)
    add_output(verb, help="the folder to write into")
    verb.add_argument("--shape", choices=("nova", "open-weight"), required=True)
    verb.add_argument("--split", choices=("official", "80/10/10"), default="official")
    add_template(verb, default="samples", fields="{question}")
    add_number(verb, "--count", "take the first N rows only")
    add_seed(verb)


def run(arguments: argparse.Namespace) -> int:
    """Convert and print what was written."""
    from bedrock_rft_sim.data.prepare.gsm8k import convert
    from bedrock_rft_sim.data.prepare.template import template

    outputs = convert(
        arguments.source,
        arguments.out,
        template=template(arguments.template, fields=["question"]),
        **values_of(arguments, "shape", "split", "count", "seed", "force"),
    )
    print_written(arguments, outputs)
    return 0
