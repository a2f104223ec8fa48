"""`rft data from`: CSV, JSON, JSONL, parquet or a Hub dataset as RFT records."""

from __future__ import annotations

import argparse
import json
from typing import Any

from bedrock_rft_sim.cli.data.arguments import add_output, add_reporting, positive, told

EXIT_FAILED = 1


def add_to(verbs: Any) -> None:
    """Add the sub-verb to the command line."""
    verb = verbs.add_parser(
        "from",
        help="convert a table to RFT records by a mapping of columns",
        description="The network is used for a source that starts with hf:// and for nothing else.",
    )
    verb.add_argument(
        "source",
        metavar="SOURCE",
        help="a .csv, .tsv, .json, .jsonl or .parquet file, or hf://OWNER/NAME[/CONFIG]",
    )
    add_output(verb)
    verb.add_argument(
        "--map",
        action="append",
        default=[],
        dest="maps",
        metavar="KEY=COLUMN",
        help="messages=question, reference_answer=answer, id=row_id, or any key; "
        "reference_answer.final_answer=answer builds an object (repeatable)",
    )
    verb.add_argument(
        "--template",
        default="plain",
        metavar="NAME|TEXT",
        help="samples, short, boxed, plain, or a text with {question} or {COLUMN} (default plain)",
    )
    verb.add_argument("--system", metavar="TEXT", help="a system message before every prompt")
    verb.add_argument("--split", default="train", help="split of a Hub dataset (default train)")
    verb.add_argument("--count", type=positive, metavar="N", help="take the first N rows only")
    add_reporting(verb)
    verb.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Convert and print what was written; nothing written is a failure."""
    from bedrock_rft_sim.data.prepare.from_table import columns_from, convert

    output = convert(
        arguments.source,
        arguments.out,
        columns=columns_from(arguments.maps),
        template_text=arguments.template,
        system=arguments.system,
        split=arguments.split,
        count=arguments.count,
        force=arguments.force,
    )
    print(json.dumps(output.manifest()) if arguments.json else told(output))
    return 0 if output.written else EXIT_FAILED
