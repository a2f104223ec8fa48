"""`rft run`: the rehearsal, with live progress."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bedrock_rft_sim.cli.arguments import (
    EXIT_FAILED,
    add_flag,
    add_recipe,
    command,
    print_result,
    show_page,
)
from bedrock_rft_sim.cli.terminal import print_lines

if TYPE_CHECKING:
    from bedrock_rft_sim.cli.progress import Progress
    from bedrock_rft_sim.train.run import RunResult

COMPLETED = "Completed"
RUNS = Path("runs")
SHOWN = (
    ("validation rewards", "validation_rewards_mean"),
    ("validation episode lengths", "validation_response_length_mean"),
)
HELP = "run the rehearsal: real GRPO on a small model, graded by the real handler"
DESCRIPTION = """Run a recipe. The run folder is the record of everything that happened.
Exit code 1: the run failed, was stopped, or had no learning signal."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    add_recipe(verb)
    verb.add_argument("--out", type=Path, default=RUNS, help="parent folder (default runs)")
    verb.add_argument("--name", help="name of the run (default the recipe's job name)")
    add_flag(verb, "--resume", "go on with a run that was killed or stopped")
    add_flag(verb, "--quiet", "show no progress")
    add_flag(verb, "--open", "show the run's page in the browser when it has ended")


def run(arguments: argparse.Namespace) -> int:
    """Run the recipe and print how it ended."""
    progress: Progress = arguments.progress
    from bedrock_rft_sim.recipe import load_recipe
    from bedrock_rft_sim.report import PageDuringRun
    from bedrock_rft_sim.train.run import rehearse
    from bedrock_rft_sim.train.world import is_main

    progress.quiet = arguments.quiet or not is_main()

    recipe = load_recipe(arguments.recipe, sets=arguments.sets)
    try:
        result = rehearse(
            recipe,
            parent=arguments.out,
            name=arguments.name,
            resume=arguments.resume,
            say=progress.say,
            doing=progress.doing,
            observers=(lambda _folder: progress, PageDuringRun),
        )
    except KeyboardInterrupt:
        if is_main():
            print_lines(_to_go_on(arguments), sys.stderr)
        raise
    if not is_main():
        return 0  # the main process says how it ended
    lines = [*_summary(result), *_next(arguments, result, seed=recipe.settings.seed + 1)]
    print_result(arguments, result.as_json(), lines)
    if arguments.open:
        show_page(result.page)
    learned = result.signal.severity == "clear"
    return 0 if result.status == COMPLETED and learned else EXIT_FAILED


def _summary(result: RunResult) -> Iterator[str]:
    yield result.words
    for title, key in SHOWN:
        first, last = result.first.get(key), result.last.get(key)
        if first is not None and last is not None:
            yield f"  {title} {first:.3f} -> {last:.3f}"
    if result.early_stopping is not None:
        yield f"  {result.early_stopping}"
    yield from (f"  {remark}" for remark in result.remarks)
    yield f"  {result.signal.words}"
    yield f"  page: {result.page}"


def _next(arguments: argparse.Namespace, result: RunResult, *, seed: int) -> Iterator[str]:
    """Yield the commands that come next, for a run with another seed."""
    if result.status != COMPLETED:
        yield from _to_go_on(arguments)
        return
    if result.signal.severity != "clear":
        yield "  next, each answer with its grade, and what to change:"
        yield f"  rft report {shlex.quote(str(result.folder))}"
        return
    name = result.folder.name
    other = f"{name}-seed{seed}"
    options = [*_out(arguments), "--name", other, "--set", f"local.seed={seed}"]
    runs = [str(result.folder.with_name(each)) for each in (name, other)]
    yield "  next, for instance, the same with another seed, and both beside a job on Bedrock:"
    yield f"  {command(arguments, 'run', *options)}"
    yield f"  rft compare {shlex.join(runs)} --bedrock events.json"


def _to_go_on(arguments: argparse.Namespace) -> Iterator[str]:
    named = [] if arguments.name is None else ["--name", arguments.name]
    yield "  to go on:"
    yield f"  {command(arguments, 'run', *_out(arguments), *named, '--resume')}"


def _out(arguments: argparse.Namespace) -> list[str]:
    return [] if arguments.out == RUNS else ["--out", str(arguments.out)]
