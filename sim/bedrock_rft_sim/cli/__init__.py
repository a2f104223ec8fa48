"""The ways in: the command line, the Python API, the pytest plugin; thin over the library.

Exit code 0: fine.  1: the check or the run failed.  2: wrong usage, or a recipe that can't be read.
An error is one message, a mistake of ours too; `--debug` shows its traceback.
Machine-readable results go to standard output, progress and messages to standard error.
Each verb imports what it needs when it runs, so that `rft --help` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from bedrock_rft_sim import __version__
from bedrock_rft_sim.errors import (
    DataError,
    RecipeError,
    RehearsalError,
    own_mistake,
    refused_by_the_system,
)

if TYPE_CHECKING:
    from bedrock_rft_sim.cli.progress import Progress

VERBS = (
    "init", "check", "audit", "run", "report", "compare", "grade", "package", "data", "probe",
    "sweep", "serve", "estimate", "submit", "pull", "deploy", "stop", "clean", "ls", "rm", "diff",
    "chat", "export", "completion",
)  # fmt: skip
"""One module each, imported with the parser: the API and the pytest plugin need none of them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    from bedrock_rft_sim.cli.progress import Progress
    from bedrock_rft_sim.cli.terminal import guarded

    progress = Progress()
    with guarded(progress.make_way):
        return _run(sys.argv[1:] if arguments is None else arguments, progress)


def _run(arguments: Sequence[str], progress: Progress) -> int:
    from bedrock_rft_sim.cli.arguments import EXIT_FAILED, EXIT_USAGE, check_text
    from bedrock_rft_sim.cli.terminal import say

    debug = "--debug" in arguments
    try:
        check_text(arguments)
        parsed = parser().parse_args(arguments)
        if "command" not in parsed:
            parsed.parser.print_help(sys.stderr)
            return EXIT_USAGE
        parsed.progress = progress
        with nullcontext() if getattr(parsed, "tells", True) else progress.of(parsed.parser.prog):
            code = int(parsed.command(parsed))
        sys.stdout.flush()
    except RehearsalError as error:
        _report(error, str(error), debug=debug)
        return EXIT_USAGE if isinstance(error, RecipeError | DataError) else EXIT_FAILED
    except KeyboardInterrupt:
        say("rft: stopped")
        return EXIT_FAILED
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except OSError as error:
        _report(error, refused_by_the_system(error), debug=debug)
        return EXIT_FAILED
    except Exception as error:  # noqa: BLE001 - the last border: one message, whatever it was
        _report(error, own_mistake(error), debug=debug)
        return EXIT_FAILED
    return code


def _report(error: Exception, words: str, *, debug: bool) -> None:
    from bedrock_rft_sim.cli.terminal import say

    if debug:
        traceback.print_exception(error)
    else:
        say(f"rft: {words}")


@cache
def parser() -> argparse.ArgumentParser:
    """Return the parser of every verb, the same one each time: it takes 8 ms to make."""
    from bedrock_rft_sim.cli.arguments import Parser, add_verbs

    root = Parser(
        prog="rft",
        description="The dress rehearsal for Amazon Bedrock reinforcement fine-tuning.",
        epilog="No telemetry, and no network unless you name something remote.",
    )
    root.add_argument("--version", action="version", version=f"rft {__version__}")
    modules = {name: import_module(f"bedrock_rft_sim.cli.{name}") for name in VERBS}
    add_verbs(root, modules, title="verbs", metavar="VERB")
    return root
