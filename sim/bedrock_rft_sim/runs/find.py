"""Find a run by what a person types: its folder, its name, or `latest`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bedrock_rft_sim.errors import RunFolderError
from bedrock_rft_sim.runs.folder import (
    LATEST,
    RECORD,
    RunFolder,
    is_run,
    newest_run,
    no_run,
)

RUNS: Final = Path("runs")


def or_under_runs(path: str | Path) -> Path:
    """Return the run of this name under `runs` where the path itself leads nowhere."""
    named = RUNS / path
    return named if not Path(path).exists() and is_run(named) else Path(path)


def latest_run(runs: Path = RUNS) -> Path | None:
    """Return the folder of the run started last, by its own name; None where there is no run.

    It is the one that the link leads to; some disks know no links.
    """
    link = runs / LATEST
    return runs / link.resolve().name if is_run(link) else newest_run(runs)


def find_run(name: str, *, runs: Path = RUNS) -> RunFolder:
    """Open a run by its folder, by its name under `runs`, or the one started last (`latest`).

    Raises:
        RunFolderError: there is no such run.
    """
    return RunFolder.open(find_folder(name, runs=runs))


def find_folder(name: str, *, runs: Path = RUNS) -> Path:
    """Return a run's folder, found as by `find_run` but not read: the run may be damaged.

    Raises:
        RunFolderError: there is no such run.
    """
    direct, named = Path(name), runs / name
    if name == LATEST and not is_run(named):
        named = latest_run(runs) or named
    if is_run(direct):
        return direct.resolve()
    if is_run(named) and "/" not in name:
        return named.resolve()
    if "/" in name:
        raise no_run(direct.resolve())
    there = sorted(path.parent.name for path in runs.glob(f"*/{RECORD}"))
    others = [each for each in there if each != LATEST]
    raise RunFolderError(
        "there is no run of this name",
        where=name,
        expected=f"a run folder, the name of one under {runs}/, or {LATEST}",
        found=f"under {runs}/: {', '.join(others)}" if others else f"no run under {runs}/",
        hint="check the spelling, or start a run with `rft run`",
    )
