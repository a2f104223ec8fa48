"""The paths of the files of jobs under one root.

runs/<id>/              the run folder, made by the child
recipes/<id>.yaml       what the child is given
children/<id>.lock      held by a living child, with its process id in it
children/<id>.log       what the child prints
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bedrock_rft_sim.files import make_folder


@dataclass(frozen=True, slots=True)
class JobPaths:
    """The files of the jobs under a root, by id."""

    root: Path

    def make(self) -> None:
        """Make the folders.

        Raises:
            RunFolderError: the disk refuses.
        """
        for folder in (self.root, *(self.root / name for name in ("runs", "recipes", "children"))):
            make_folder(folder)

    @property
    def runs(self) -> Path:
        """The parent of the run folders."""
        return self.root / "runs"

    @property
    def children(self) -> Path:
        """The folder of locks and logs, where children work."""
        return self.root / "children"

    def recipe(self, job_id: str) -> Path:
        """Return the recipe; relative paths in it start at its folder."""
        return self.root / "recipes" / f"{job_id}.yaml"

    def lock(self, job_id: str) -> Path:
        """Return the file that a living child holds locked."""
        return self.children / f"{job_id}.lock"

    def log(self, job_id: str) -> Path:
        """Return the file of what the child prints."""
        return self.children / f"{job_id}.log"
