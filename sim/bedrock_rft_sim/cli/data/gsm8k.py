"""`rft data gsm8k`: the official GSM8K as RFT files."""

from __future__ import annotations

import argparse
import json
from typing import Any

from bedrock_rft_sim.cli.data.arguments import add_output, add_reporting, add_seed, positive, told

SOURCE = "openai/gsm8k"


def add_to(verbs: Any) -> None:
    """Add the sub-verb to the command line."""
    verb = verbs.add_parser(
        "gsm8k",
        help="convert the official GSM8K to either published shape",
        description="Write train.jsonl and test.jsonl (official split), or train.jsonl, "
        "validation.jsonl and test.jsonl (80/10/10, the rows of AWS's Nova notebook).",
    )
    verb.add_argument(
        "source",
        metavar="SOURCE",
        help=f"a folder or file with the official JSONL or parquet, or {SOURCE} for the Hub",
    )
    add_output(verb, help="the folder to write into")
    verb.add_argument("--shape", choices=("nova", "open-weight"), required=True)
    verb.add_argument("--split", choices=("official", "80/10/10"), default="official")
    verb.add_argument(
        "--template",
        default="samples",
        metavar="NAME|TEXT",
        help="samples, short, boxed, plain, or a text with {question} (default samples)",
    )
    verb.add_argument("--count", type=positive, metavar="N", help="take the first N rows only")
    add_seed(verb)
    add_reporting(verb)
    verb.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Convert and print what was written."""
    from bedrock_rft_sim.data.prepare.gsm8k import convert
    from bedrock_rft_sim.data.prepare.template import template

    outputs = convert(
        arguments.source,
        arguments.out,
        shape=arguments.shape,
        split=arguments.split,
        template=template(arguments.template, fields=["question"]),
        count=arguments.count,
        seed=arguments.seed,
        force=arguments.force,
    )
    if arguments.json:
        print(json.dumps([output.manifest() for output in outputs]))
    else:
        print("\n".join(told(output) for output in outputs))
    return 0
