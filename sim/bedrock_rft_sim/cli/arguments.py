"""Arguments that several verbs share."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from bedrock_rft_sim.contract.limits import (
    LAMBDA_MEMORY_MB_MAX,
    LAMBDA_MEMORY_MB_MIN,
    LAMBDA_TIMEOUT_S_DEFAULT,
    LAMBDA_TIMEOUT_S_MAX,
)
from bedrock_rft_sim.contract.payload_profiles import PROFILES

EXIT_FAILED = 1


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
    add_reporting(verb)


def add_reporting(verb: argparse.ArgumentParser, *, result: str = "the result") -> None:
    """Add --json and --debug."""
    verb.add_argument("--json", action="store_true", help=f"print {result} as JSON")
    verb.add_argument("--debug", action="store_true", help="show the traceback of an error")


def add_profile(verb: argparse.ArgumentParser, *, default: str | None = None) -> None:
    """Add --profile."""
    words = "where the event holds the reference"
    verb.add_argument("--profile", choices=PROFILES, default=default, help=words)


def add_function(verb: argparse.ArgumentParser, *, timeout_s: int, memory_mb: int) -> None:
    """Add what describes a Lambda function, with these defaults."""
    verb.add_argument(
        "--handler", default="lambda_handler", help="the function, or module.function"
    )
    verb.add_argument(
        "--timeout",
        type=whole_number(1, LAMBDA_TIMEOUT_S_MAX),
        default=timeout_s,
        metavar="SECONDS",
        help=f"of the function (default {timeout_s}; Lambda's own is {LAMBDA_TIMEOUT_S_DEFAULT})",
    )
    verb.add_argument(
        "--memory",
        type=whole_number(LAMBDA_MEMORY_MB_MIN, LAMBDA_MEMORY_MB_MAX),
        default=memory_mb,
        metavar="MB",
        help=f"of the function (default {memory_mb}; Lambda's own is {LAMBDA_MEMORY_MB_MIN})",
    )
    verb.add_argument(
        "--env",
        action="append",
        default=[],
        type=key_value,
        metavar="KEY=VALUE",
        help="an environment variable of the function (repeatable)",
    )


def whole_number(low: int, high: int | None = None) -> Callable[[str], int]:
    """Return a reader of whole numbers within these bounds, for argparse."""
    bounds = f"from {low}" + ("" if high is None else f" to {high}")

    def read(text: str) -> int:
        value = int(text) if text.isascii() and text.strip().isdigit() else None
        if value is None or value < low or (high is not None and value > high):
            raise argparse.ArgumentTypeError(f"expected a whole number {bounds}, found {text!r}")
        return value

    return read


def key_value(text: str) -> tuple[str, str]:
    """Read KEY=VALUE, for argparse."""
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, found {text!r}")
    return key, value
