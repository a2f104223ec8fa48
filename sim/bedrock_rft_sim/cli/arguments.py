"""Arguments that several verbs share."""

from __future__ import annotations

import argparse


def add_common(verb: argparse.ArgumentParser) -> None:
    """Add what every verb that reads a recipe takes."""
    verb.add_argument(
        "recipe",
        metavar="RECIPE",
        help="a YAML or JSON file, or the bare name of a shipped recipe such as quickstart",
    )
    verb.add_argument(
        "--set",
        action="append",
        default=[],
        dest="sets",
        metavar="KEY=VALUE",
        help="override one value by its dotted path, e.g. local.seed=1 (repeatable)",
    )
    verb.add_argument("--json", action="store_true", help="print the result as JSON")
    verb.add_argument("--debug", action="store_true", help="show the traceback of an error")
