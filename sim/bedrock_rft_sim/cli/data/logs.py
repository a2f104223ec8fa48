"""`rft data logs`: Bedrock's model-invocation logs as RFT records."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.cli.data.arguments import add_output, add_reporting, told

if TYPE_CHECKING:
    from bedrock_rft_sim.data.prepare.metadata_filter import Filter

EXIT_FAILED = 1


def add_to(verbs: Any) -> None:
    """Add the sub-verb to the command line."""
    verb = verbs.add_parser(
        "logs",
        help="convert model-invocation logs to RFT records",
        description="Take the prompts of InvokeModel and Converse entries whose request metadata "
        "match. Only prompts are taken, as the service does unless usePromptResponse is set.",
    )
    verb.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a log file, gzipped or not"
    )
    add_output(verb)
    verb.add_argument(
        "--metadata",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="take entries whose request metadata equal this, or KEY!=VALUE for not (repeatable)",
    )
    verb.add_argument(
        "--any", action="store_true", help="one of the --metadata suffices (orAll; default andAll)"
    )
    verb.add_argument(
        "--filters", metavar="JSON", help="the request's own requestMetadataFilters instead"
    )
    verb.add_argument(
        "--with-response", action="store_true", help="put the logged answer into reference_answer"
    )
    add_reporting(verb)
    verb.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Convert and print what was written; nothing written is a failure."""
    from bedrock_rft_sim.data.prepare.logs import convert

    output = convert(
        arguments.files,
        arguments.out,
        wanted=_wanted(arguments),
        with_response=arguments.with_response,
        force=arguments.force,
    )
    print(json.dumps(output.manifest()) if arguments.json else told(output))
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
