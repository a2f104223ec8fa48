"""Find a run by what a person types: its folder, its name, or `latest`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bedrock_rft_sim.errors import RunFolderError
from bedrock_rft_sim.runs.folder import LATEST, RECORD, RunFolder, is_run

RUNS: Final = Path("runs")


def or_under_runs(path: str | Path) -> Path:
    """Return the run of this name under `runs` where the path itself leads nowhere."""
    named = RUNS / path
    return named if not Path(path).exists() and is_run(named) else Path(path)


def find_run(name: str, *, runs: Path = RUNS) -> RunFolder:
    """Open a run by its folder, by its name under `runs`, or the one started last (`latest`).

    Raises:
        RunFolderError: there is no such run.
    """
    direct, named = Path(name), runs / name
    if is_run(direct) or "/" in name:
        return RunFolder.open(direct.resolve())
    if is_run(named):
        return RunFolder.open(named.resolve())
    there = sorted(path.parent.name for path in runs.glob(f"*/{RECORD}"))
    others = [each for each in there if each != LATEST]
    raise RunFolderError(
        "there is no run of this name",
        where=name,
        expected=f"a run folder, the name of one under {runs}/, or {LATEST}",
        found=f"under {runs}/: {', '.join(others)}" if others else f"no run under {runs}/",
        hint="check the spelling, or start a run with `rft run`",
    )
