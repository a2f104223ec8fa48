"""`rft sweep`: one setting at a time, a grid or a search; every point an ordinary run."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bedrock_rft_sim.cli.arguments import EXIT_FAILED, add_number, add_path, print_result
from bedrock_rft_sim.cli.audit_text import plain
from bedrock_rft_sim.cli.terminal import Line, Table, say

if TYPE_CHECKING:
    from bedrock_rft_sim.sweep.effects import Effect
    from bedrock_rft_sim.sweep.result import SweepResult

FOLDER = Path("sweeps")
EXAMPLE = """
a sweep file:
  recipe: quickstart               # a shipped name, or a path from this file
  mode: one-factor                 # or grid, or search (pip install 'bedrock-rft-sim[hpo]')
  axes:                            # by dotted path; in a search also {low: .., high: .., log: true}
    customizationConfig.rftConfig.hyperParameters.learningRate: [1e-5, 1e-4, 1e-3]
  seeds: [0, 1, 2]                 # every setting with every seed
  confirm: [10, 11, 12, 13]        # fresh seeds: is the best still better than the recipe?
  metric: validation_rewards_mean  # at the end of the run; or critic_rewards_mean
  allowRefused: false              # true: rehearse values that Bedrock would refuse, too
  set: {local.maxSteps: 20}        # changes that every point shares
  # a search also takes trials: 20, searchSeed: 0, and
  # pruner: {startupTrials: 4, warmupSteps: 1}, or pruner: none

A sweep that was stopped or killed goes on when the same command is given again: finished points are
known by a hash of recipe, data, reward and versions, unfinished ones go on from their checkpoint,
failed ones are tried again (in a search they stay failed). The same command with the same --out on
several machines shares the points.

exit codes:
  0  every point was made
  1  a point failed, or the sweep was stopped
  2  wrong usage, or a file that can't be read
"""
HELP = "which settings matter, in which direction, and how sure that is"
DESCRIPTION = "Run a recipe with other values and say what they do."


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    verb.epilog, verb.formatter_class = EXAMPLE, argparse.RawDescriptionHelpFormatter
    verb.add_argument(
        "sweep", metavar="FILE", help="a sweep file, or the bare name of a shipped one"
    )
    add_path(verb, "--out", "its folder (default sweeps/FILE)", metavar="DIR")
    add_number(verb, "--workers", "runs at a time, a GPU each (default 1)", default=1)
    verb.add_argument(
        "--seeds", type=_seeds, metavar="N,N,...", help="seeds in place of the file's, e.g. 0,1,2"
    )


def _seeds(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or len(set(map(int, parts))) < len(parts):
        raise argparse.ArgumentTypeError(
            f"expected different whole numbers from 0, such as 0,1,2, found {text!r}"
        )
    return tuple(map(int, parts))


def run(arguments: argparse.Namespace) -> int:
    """Make the sweep and print what was found."""
    from bedrock_rft_sim.sweep import read_sweep, sweep

    file = read_sweep(arguments.sweep, seeds=arguments.seeds)
    out = arguments.out or FOLDER / file.path.stem
    arguments.progress.at(f"sweeping {file.recipe}")
    result = sweep(file, out=out, workers=arguments.workers, say=say)
    print_result(arguments, result.as_json(), _lines(result))
    return EXIT_FAILED if result.failed else 0


def _lines(result: SweepResult) -> Iterator[Line]:
    from bedrock_rft_sim.diagnosis.sweep import diagnose_setting
    from bedrock_rft_sim.sweep.effects import between, over_seeds
    from bedrock_rft_sim.sweep.page import PAGE
    from bedrock_rft_sim.sweep.plan import described_changes
    from bedrock_rft_sim.sweep.result import BEST

    rows = []
    for row in result.rows:
        mean = over_seeds(row)
        value = "–" if mean is None else f"{mean.value:.3f}"
        effect = _effect(between(row, result.rows[0])) if row.changes else "–"
        behaviour = diagnose_setting(row.outcomes).rule
        rows.append((described_changes(row.changes), f"{value:>6}", effect, behaviour))
    yield Table(rows, ("setting", "  mean", "against the base", "behaviour"))
    for axis in result.axes:
        yield f"\n{axis.path}"
        yield from (f"  {line}" for line in axis.words)
    yield ""
    for one in result.failed:
        # What a child printed may hold what a terminal would act upon.
        yield from map(plain, f"failed   {one.name}: {one.why}".splitlines())
    yield from result.words
    written = [PAGE, BEST] if result.ranking else [PAGE]
    yield f"written  {', '.join(str(result.out / name) for name in written)}"


def _effect(found: Effect | None) -> str:
    if found is None:
        return "–"
    if found.low is None or found.high is None:
        return f"{found.text}, one seed: no interval"
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"
