"""`rft run`: the rehearsal, with live progress."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bedrock_rft_sim.cli.arguments import EXIT_FAILED, add_flag, add_recipe, print_result

if TYPE_CHECKING:
    from bedrock_rft_sim.train.run import RunResult

COMPLETED = "Completed"
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
    verb.add_argument("--out", type=Path, default=Path("runs"), help="parent folder (default runs)")
    verb.add_argument("--name", help="name of the run (default the recipe's job name)")
    add_flag(verb, "--resume", "go on with a run that was killed or stopped")
    add_flag(verb, "--quiet", "show no progress")


def run(arguments: argparse.Namespace) -> int:
    """Run the recipe and print how it ended."""
    from bedrock_rft_sim.cli.progress import Progress
    from bedrock_rft_sim.recipe import load_recipe
    from bedrock_rft_sim.report import PageDuringRun
    from bedrock_rft_sim.train.run import rehearse

    recipe = load_recipe(arguments.recipe, sets=arguments.sets)
    with Progress(quiet=arguments.quiet) as progress:
        result = rehearse(
            recipe,
            parent=arguments.out,
            name=arguments.name,
            resume=arguments.resume,
            say=progress.say,
            observers=(lambda _folder: progress, PageDuringRun),
        )
    print_result(arguments, result.as_json(), [_summary(result)])
    learned = result.signal.severity == "clear"
    return 0 if result.status == COMPLETED and learned else EXIT_FAILED


def _summary(result: RunResult) -> str:
    lines = [f"{result.status} after step {result.step} of {result.total_steps}: {result.folder}"]
    for title, key in SHOWN:
        first, last = result.first.get(key), result.last.get(key)
        if first is not None and last is not None:
            lines.append(f"  {title} {first:.3f} -> {last:.3f}")
    if result.early_stopping is not None:
        lines.append(f"  {result.early_stopping}")
    lines += [f"  {remark}" for remark in result.remarks]
    return "\n".join([*lines, f"  {result.signal.words}"])
