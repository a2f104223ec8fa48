"""`rft data logs`: Bedrock's model-invocation logs as RFT records."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from bedrock_rft_sim.cli.arguments import EXIT_FAILED, add_flag, add_repeatable
from bedrock_rft_sim.cli.data.arguments import add_output, print_written, values_of

if TYPE_CHECKING:
    from bedrock_rft_sim.data.prepare.metadata_filter import Filter

HELP = "convert model-invocation logs to RFT records"
DESCRIPTION = """Take the prompts of InvokeModel and Converse entries whose request metadata match.
Only prompts are taken, as the service does unless usePromptResponse is set."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    files = "a log file, gzipped or not"
    verb.add_argument("files", nargs="+", type=Path, metavar="FILE", help=files)
    add_output(verb)
    equal = "take entries whose request metadata equal this, or KEY!=VALUE for not"
    add_repeatable(verb, "--metadata", "KEY=VALUE", equal)
    add_flag(verb, "--any", "one of the --metadata suffices (orAll; default andAll)")
    filters = "the request's own requestMetadataFilters instead"
    verb.add_argument("--filters", metavar="JSON", help=filters)
    add_flag(verb, "--with-response", "put the logged answer into reference_answer")


def run(arguments: argparse.Namespace) -> int:
    """Convert and print what was written; nothing written is a failure."""
    from bedrock_rft_sim.data.prepare.logs import convert

    output = convert(
        arguments.files,
        arguments.out,
        wanted=_wanted(arguments),
        **values_of(arguments, "with_response", "force"),
    )
    print_written(arguments, output)
    return 0 if output.written else EXIT_FAILED


def _wanted(arguments: argparse.Namespace) -> Filter | None:
    from bedrock_rft_sim.data.prepare.metadata_filter import checked, from_words
    from bedrock_rft_sim.errors import RecipeError

    if arguments.filters is None:
        return from_words(arguments.metadata, match_any=arguments.any)
    try:
        given = None if arguments.metadata else json.loads(arguments.filters)
    except (ValueError, RecursionError):
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
