"""What the console shows: jobs of both APIs, and runs that `rft run` made under the same root.

Such a run is a folder among those of the jobs that the list of jobs does not know. A job's id is
the name of its folder, so one name leads to either.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from bedrock_rft_sim.jobs import Job, UnknownJobError
from bedrock_rft_sim.runs import Run, RunFolder, is_run
from bedrock_rft_sim.server.state import ServerState


@dataclass(frozen=True, slots=True)
class ConsoleEntry:
    """A job, or a run that no API created."""

    folder: RunFolder
    job: Job | None

    @property
    def id(self) -> str:
        """The job's id, or the run's name."""
        return self.folder.name

    def read(self) -> Run | None:
        """Return the run as it is now; None before it has begun.

        Raises:
            RunFolderError: the folder is damaged.
        """
        return Run.read(self.folder) if self.folder.record.is_file() else None


def all_entries(state: ServerState) -> list[ConsoleEntry]:
    """Return the jobs of both APIs, and the runs that are none."""
    jobs = [*state.jobs.list("bedrock"), *state.jobs.list("openai")]
    runs = _runs(state, {job.id for job in jobs})
    return [*(ConsoleEntry(RunFolder(job.folder), job) for job in jobs), *runs]


def find_entry(state: ServerState, name: str) -> ConsoleEntry:
    """Return the job of this id, or the run of this name.

    Raises:
        UnknownJobError: there is neither.
    """
    try:
        job = state.jobs.get(name)
    except UnknownJobError:
        found = [run for run in _runs(state, set()) if run.id == name]
        if not found:
            raise
        return found[0]
    return ConsoleEntry(RunFolder(job.folder), job)


def _runs(state: ServerState, jobs: Container[str]) -> list[ConsoleEntry]:
    folders = state.jobs.runs.iterdir()
    own = [each for each in folders if each.name not in jobs and not each.is_symlink()]
    return [ConsoleEntry(RunFolder(each), None) for each in own if is_run(each)]
