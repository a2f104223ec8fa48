"""`rft data from`: CSV, JSON, JSONL, parquet or a Hub dataset as RFT records."""

from __future__ import annotations

import argparse

from bedrock_rft_sim.cli.arguments import EXIT_FAILED, add_number, add_repeatable
from bedrock_rft_sim.cli.data.arguments import add_output, add_template, print_written, values_of

HELP = "convert a table to RFT records by a mapping of columns"
DESCRIPTION = "The network is used for a source that starts with hf:// and for nothing else."


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    source = "a .csv, .tsv, .json, .jsonl or .parquet file, or hf://OWNER/NAME[/CONFIG]"
    verb.add_argument("source", metavar="SOURCE", help=source)
    add_output(verb)
    columns = (
        "messages=question, reference_answer=answer, id=row_id, or any key; "
        "reference_answer.final_answer=answer builds an object"
    )
    add_repeatable(verb, "--map", "KEY=COLUMN", columns)
    add_template(verb, default="plain", fields="{question} or {COLUMN}")
    verb.add_argument("--system", metavar="TEXT", help="a system message before every prompt")
    verb.add_argument("--split", default="train", help="split of a Hub dataset (default train)")
    add_number(verb, "--count", "take the first N rows only")


def run(arguments: argparse.Namespace) -> int:
    """Convert and print what was written; nothing written is a failure."""
    from bedrock_rft_sim.data.prepare.from_table import columns_from, convert

    output = convert(
        arguments.source,
        arguments.out,
        columns=columns_from(arguments.map),
        template_text=arguments.template,
        **values_of(arguments, "system", "split", "count", "force"),
    )
    print_written(arguments, output)
    return 0 if output.written else EXIT_FAILED
