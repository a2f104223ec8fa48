"""A finished run of the same model, whose times could be taken: named, never used unasked."""

from __future__ import annotations

from pathlib import Path

from bedrock_rft_sim.contract.statuses import COMPLETED
from bedrock_rft_sim.errors import RunFolderError
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs import RunFolder, is_run
from bedrock_rft_sim.runs.find import RUNS


def finished_run(recipe: Recipe, runs: Path = RUNS) -> Path | None:
    """Return the folder of the newest finished run of the recipe's model; None where none is."""
    if not runs.is_dir():
        return None
    found = [path for path in runs.iterdir() if is_run(path) and not path.is_symlink()]
    newest_first = sorted(found, key=lambda path: RunFolder(path, None).record.stat().st_mtime)
    return next((path for path in reversed(newest_first) if _is_finished(path, recipe)), None)


def _is_finished(path: Path, recipe: Recipe) -> bool:
    try:
        folder = RunFolder.open(path)
        if folder.read_record().get("status") != COMPLETED:
            return False
        return folder.read_resolved()["local"]["model"]["value"] == recipe.local.model
    except (RunFolderError, KeyError):
        return False  # damaged, or of another version: nothing to recommend
