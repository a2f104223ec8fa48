"""`rft data gsm8k`, `from` and `logs`: other data as RFT records."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.cli.arguments import EXIT_FAILED
from bedrock_rft_sim.cli.data.arguments import (
    add_count,
    add_output,
    add_repeatable,
    add_seed,
    print_written,
    values_of,
)

if TYPE_CHECKING:
    from bedrock_rft_sim.data.prepare.metadata_filter import Filter


SOURCE = "openai/gsm8k"


def add_gsm8k(verbs: Any) -> argparse.ArgumentParser:
    """Add `gsm8k`: the official GSM8K as RFT files."""
    verb: argparse.ArgumentParser = verbs.add_parser(
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
    _add_template(verb, default="samples", fields="{question}")
    add_count(verb)
    add_seed(verb)
    verb.set_defaults(command=run_gsm8k)
    return verb


def _add_template(verb: argparse.ArgumentParser, *, default: str, fields: str) -> None:
    verb.add_argument(
        "--template",
        default=default,
        metavar="NAME|TEXT",
        help=f"samples, short, boxed, plain, or a text with {fields} (default {default})",
    )


def run_gsm8k(arguments: argparse.Namespace) -> int:
    """Convert and print what was written."""
    from bedrock_rft_sim.data.prepare.gsm8k import convert
    from bedrock_rft_sim.data.prepare.template import template

    outputs = convert(
        arguments.source,
        arguments.out,
        template=template(arguments.template, fields=["question"]),
        **values_of(arguments, "shape", "split", "count", "seed", "force"),
    )
    print_written(outputs, as_json=arguments.json)
    return 0


def add_from(verbs: Any) -> argparse.ArgumentParser:
    """Add `from`: CSV, JSON, JSONL, parquet or a Hub dataset as RFT records."""
    verb: argparse.ArgumentParser = verbs.add_parser(
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
    add_repeatable(
        verb,
        "--map",
        "KEY=COLUMN",
        "messages=question, reference_answer=answer, id=row_id, or any key; "
        "reference_answer.final_answer=answer builds an object",
    )
    _add_template(verb, default="plain", fields="{question} or {COLUMN}")
    verb.add_argument("--system", metavar="TEXT", help="a system message before every prompt")
    verb.add_argument("--split", default="train", help="split of a Hub dataset (default train)")
    add_count(verb)
    verb.set_defaults(command=run_from)
    return verb


def run_from(arguments: argparse.Namespace) -> int:
    """Convert and print what was written; nothing written is a failure."""
    from bedrock_rft_sim.data.prepare.from_table import columns_from, convert

    output = convert(
        arguments.source,
        arguments.out,
        columns=columns_from(arguments.map),
        template_text=arguments.template,
        **values_of(arguments, "system", "split", "count", "force"),
    )
    print_written(output, as_json=arguments.json)
    return 0 if output.written else EXIT_FAILED


def add_logs(verbs: Any) -> argparse.ArgumentParser:
    """Add `logs`: Bedrock's model-invocation logs as RFT records."""
    verb: argparse.ArgumentParser = verbs.add_parser(
        "logs",
        help="convert model-invocation logs to RFT records",
        description="Take the prompts of InvokeModel and Converse entries whose request metadata "
        "match. Only prompts are taken, as the service does unless usePromptResponse is set.",
    )
    verb.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a log file, gzipped or not"
    )
    add_output(verb)
    equal = "take entries whose request metadata equal this, or KEY!=VALUE for not"
    add_repeatable(verb, "--metadata", "KEY=VALUE", equal)
    verb.add_argument(
        "--any", action="store_true", help="one of the --metadata suffices (orAll; default andAll)"
    )
    verb.add_argument(
        "--filters", metavar="JSON", help="the request's own requestMetadataFilters instead"
    )
    verb.add_argument(
        "--with-response", action="store_true", help="put the logged answer into reference_answer"
    )
    verb.set_defaults(command=run_logs)
    return verb


def run_logs(arguments: argparse.Namespace) -> int:
    """Convert and print what was written; nothing written is a failure."""
    from bedrock_rft_sim.data.prepare.logs import convert

    output = convert(
        arguments.files,
        arguments.out,
        wanted=_wanted(arguments),
        **values_of(arguments, "with_response", "force"),
    )
    print_written(output, as_json=arguments.json)
    return 0 if output.written else EXIT_FAILED


def _wanted(arguments: argparse.Namespace) -> Filter | None:
    from bedrock_rft_sim.data.prepare.metadata_filter import checked, from_words
    from bedrock_rft_sim.errors import RecipeError

    if arguments.filters is None:
        return from_words(arguments.metadata, match_any=arguments.any)
    try:
        given = None if arguments.metadata else json.loads(arguments.filters)
    except ValueError:
        given = None
    if given is None:
        raise RecipeError(
            "the filters can't be read",
            where="--filters",
            expected="requestMetadataFilters as JSON, and no --metadata beside it",
            found=arguments.filters,
            hint='for example \'{"equals": {"project": "math"}}\'',
        )
    return checked(given)
