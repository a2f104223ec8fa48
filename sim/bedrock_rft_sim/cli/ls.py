"""`rft ls`: the runs in a folder, the newest first."""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bedrock_rft_sim.cli.arguments import print_result
from bedrock_rft_sim.cli.terminal import Line, Table

if TYPE_CHECKING:
    from bedrock_rft_sim.runs.listing import ListedRun

UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))
SIZES = ("B", "kB", "MB", "GB", "TB")
KILO = 1000
HEADERS = ("NAME", "STATUS", "MODEL", "STEPS", "REWARD", "AGE", "SIZE")
MODEL_CHARS = 32
"""A longer name, such as a folder's, loses its beginning."""
HELP = "the runs here: status, model, steps, reward, age, size"
DESCRIPTION = """List the runs in a folder, the one started last first. REWARD is that of the first
and the last training step. A run that no process is writing any more is called killed."""
RESULT = "the runs"


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    where = "the folder of the runs (default runs)"
    verb.add_argument("folder", nargs="?", type=Path, metavar="DIR", help=where)


def run(arguments: argparse.Namespace) -> int:
    """List the runs."""
    from bedrock_rft_sim.runs.find import RUNS
    from bedrock_rft_sim.runs.listing import list_runs

    parent = arguments.folder or RUNS
    found = list_runs(parent)
    now = datetime.datetime.now(datetime.UTC)
    lines: list[Line] = [Table([_row(each, now) for each in found], HEADERS)]
    lines += [f"{each.name}: {each.problem}" for each in found if each.problem]
    nothing = f"no runs under {parent}; `rft run quickstart` makes one"
    print_result(arguments, [each.as_json() for each in found], lines if found else [nothing])
    return 0


def _row(one: ListedRun, now: datetime.datetime) -> tuple[str, ...]:
    ends = (one.reward_first, one.reward_last)
    reward = " -> ".join("-" if each is None else f"{each:.3f}" for each in ends)
    model = one.model or "-"
    return (
        one.name,
        one.status,
        model if len(model) <= MODEL_CHARS else f"...{model[3 - MODEL_CHARS :]}",
        f"{one.step}/{one.total_steps}" if one.total_steps else str(one.step),
        reward,
        _age(one.age_s(now)),
        size(one.bytes),
    )


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    found = next(((unit, name) for unit, name in UNITS if seconds >= unit), (1, "s"))
    return f"{max(0, seconds) // found[0]:.0f} {found[1]}"


def size(count: float) -> str:
    """Return so many bytes as a person reads them."""
    for unit in SIZES:
        if count < KILO or unit == SIZES[-1]:
            break
        count /= KILO
    return f"{count:.0f} {unit}" if unit == SIZES[0] else f"{count:.1f} {unit}"
