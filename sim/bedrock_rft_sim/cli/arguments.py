"""What several verbs share: how they are declared, their arguments, how they print a result."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import webbrowser
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from bedrock_rft_sim.cli.terminal import Line, print_lines, say
from bedrock_rft_sim.contract.limits import (
    LAMBDA_MEMORY_MB_MAX,
    LAMBDA_MEMORY_MB_MIN,
    LAMBDA_TIMEOUT_S_DEFAULT,
    LAMBDA_TIMEOUT_S_MAX,
)
from bedrock_rft_sim.contract.payload_profiles import PROFILES
from bedrock_rft_sim.errors import RecipeError

EXIT_FAILED = 1
EXIT_USAGE = 2
LAST_PORT = 65_535


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in rows that fit the terminal."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message, and end with exit code 2."""
        self.print_usage(sys.stderr)
        say(f"rft: {message}")
        sys.exit(EXIT_USAGE)


def check_text(arguments: Sequence[str]) -> None:
    """Refuse arguments that are no text, because no recipe, page or message could hold them.

    Raises:
        RecipeError: one holds bytes that are no UTF-8.
    """
    for argument in arguments:
        if any("\ud800" <= each <= "\udfff" for each in argument):
            found = repr(argument.encode("utf-8", "surrogatepass"))
            raise RecipeError("an argument is not UTF-8", expected="UTF-8", found=found)


def add_verbs(
    parser: argparse.ArgumentParser, modules: Mapping[str, ModuleType], **of: str
) -> None:
    """Add a verb per module: its HELP, its DESCRIPTION, `add_arguments`, and `run` if it has any.

    Its RESULT says what --json prints, its TELLS whether it says itself what goes on; `of` is the
    title and the metavar of all verbs.
    """
    parser.set_defaults(parser=parser)
    verbs = parser.add_subparsers(required=False, **of)
    for name, module in modules.items():
        verb = verbs.add_parser(name, help=module.HELP, description=module.DESCRIPTION)
        module.add_arguments(verb)
        if hasattr(module, "run"):  # else it has verbs of its own
            tells = getattr(module, "TELLS", False)
            verb.set_defaults(parser=verb, command=module.run, tells=tells)
            result = getattr(module, "RESULT", "the result")
            add_flag(verb, "--json", f"print {result} as JSON")
            add_flag(verb, "--debug", "show the traceback of an error")


def add_flag(verb: argparse.ArgumentParser, name: str, what: str) -> None:
    """Add an option that is given or not."""
    verb.add_argument(name, action="store_true", help=what)


def add_path(
    verb: argparse.ArgumentParser, name: str, what: str, *, metavar: str = "FILE", **options: Any
) -> None:
    """Add a file or a folder."""
    verb.add_argument(name, type=Path, metavar=metavar, help=what, **options)


def add_number(
    verb: argparse.ArgumentParser, name: str, what: str, *bounds: int, **options: Any
) -> None:
    """Add a whole number of at least 1, or within these bounds."""
    kind = whole_number(*bounds or (1,))
    verb.add_argument(name, type=kind, help=what, **{"metavar": "N"} | options)


def add_repeatable(
    verb: argparse.ArgumentParser, name: str, metavar: str, what: str, **options: Any
) -> None:
    """Add an option that may be given several times; its value is a list, empty without it."""
    given = {"default": []} | options
    verb.add_argument(name, action="append", metavar=metavar, help=f"{what} (repeatable)", **given)


def add_recipe(verb: argparse.ArgumentParser) -> None:
    """Add what every verb that reads a recipe takes."""
    recipe = "a YAML or JSON file, or the bare name of a shipped recipe such as quickstart"
    verb.add_argument("recipe", metavar="RECIPE", help=recipe)
    override = "override one value by its dotted path, e.g. local.seed=1"
    add_repeatable(verb, "--set", "KEY=VALUE", override, dest="sets")


def add_run(verb: argparse.ArgumentParser, name: str = "run", **options: Any) -> None:
    """Add a run, or several."""
    folder = "a run folder, the name of one under runs/, or latest"
    verb.add_argument(name, metavar="RUN", type=run_name, help=folder, **options)


def run_name(text: str) -> str:
    """Read a run's name, for argparse; `latest` becomes the name of that run, and says so."""
    from bedrock_rft_sim.runs.find import latest_run
    from bedrock_rft_sim.runs.folder import LATEST

    found = None if text != LATEST or Path(text).exists() else latest_run()
    if found is None:
        return text
    say(f"{LATEST} is {found}")
    return str(found)


def add_source(verb: argparse.ArgumentParser, name: str, metavar: str, what: str) -> None:
    """Add a file or a run."""
    verb.add_argument(name, metavar=metavar, type=_run_or_file, help=what)


def _run_or_file(text: str) -> Path:
    from bedrock_rft_sim.runs import or_under_runs

    return or_under_runs(run_name(text))


def add_profile(verb: argparse.ArgumentParser, *, default: str | None = None) -> None:
    """Add --profile."""
    words = "where the event holds the reference"
    verb.add_argument("--profile", choices=PROFILES, default=default, help=words)


def add_function(verb: argparse.ArgumentParser, *, timeout_s: int, memory_mb: int) -> None:
    """Add what describes a Lambda function, with these defaults."""
    handler = "the function, or module.function"
    verb.add_argument("--handler", default="lambda_handler", help=handler)
    seconds = f"of the function (default {timeout_s}; Lambda's own is {LAMBDA_TIMEOUT_S_DEFAULT})"
    times = (1, LAMBDA_TIMEOUT_S_MAX)
    add_number(verb, "--timeout", seconds, *times, metavar="SECONDS", default=timeout_s)
    low, high = LAMBDA_MEMORY_MB_MIN, LAMBDA_MEMORY_MB_MAX
    size = f"of the function (default {memory_mb}; Lambda's own is {low})"
    add_number(verb, "--memory", size, low, high, metavar="MB", default=memory_mb)
    variable = "an environment variable of the function"
    add_repeatable(verb, "--env", "KEY=VALUE", variable, type=key_value)


def command(arguments: argparse.Namespace, verb: str, *more: str) -> str:
    """Return another command on the same recipe, with the same --set but for keys set anew."""
    anew = {word.partition("=")[0] for word in more if "=" in word}
    kept = [each for each in arguments.sets if each.partition("=")[0] not in anew]
    sets = [word for each in kept for word in ("--set", each)]
    return shlex.join(["rft", verb, arguments.recipe, *sets, *more])


def agreed(question: str) -> bool:
    """Ask on the terminal.

    Raises:
        RecipeError: nobody can answer.
    """
    if not sys.stdin.isatty():
        raise RecipeError("nobody can be asked", expected="--yes, or a terminal", found="neither")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def show_page(page: Path | str) -> None:
    """Show a page, a file or an address, in the browser."""
    address = page if isinstance(page, str) else page.absolute().as_uri()
    if not webbrowser.open(address):
        say(f"rft: no browser could be started; the page is {page}")


def print_result(arguments: argparse.Namespace, found: object, lines: Iterable[Line]) -> None:
    """Print JSON where --json is given, else the lines."""
    if arguments.json:
        print(json.dumps(found))
    else:
        print_lines(lines)


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
