"""Read from a run folder how far a job is and how it ended.

Deliberately reads few bytes, because it is called several times a second.
Sources: statuses of `bedrock_rft_sim.contract.statuses`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bedrock_rft_sim.errors import RunFolderError
from bedrock_rft_sim.jobs.job import ENDED, End, Job, Phase, Phases, Status
from bedrock_rft_sim.runs import RunFolder, is_run
from bedrock_rft_sim.runs.folder import remove_unbegun

FAILURE_CHARS = 2048
_ENDS: Final[dict[str, End]] = {word: end for end, word in ENDED.items()}


def phases_of(job: Job, now: float) -> Phases:
    """Return the phases as the run folder shows them; a phase never goes back."""
    folder = RunFolder(job.folder)
    phases = job.phases
    if folder.record.exists() and phases.data_processing.status == "NotStarted":
        validation = _done(phases.validation, now)
        phases = Phases(validation, Phase("InProgress", now, now), phases.training)
    if folder.metrics.exists() and phases.training.status == "NotStarted":
        done = (_done(phases.validation, now), _done(phases.data_processing, now))
        phases = Phases(*done, Phase("InProgress", now, now))
    return phases


def status_of(phases: Phases) -> Status:
    """Return the status of a job whose child runs: running once it trains, also after a resume."""
    return "validating" if phases.training.status == "NotStarted" else "running"


def _done(phase: Phase, now: float) -> Phase:
    return phase if phase.status == "Completed" else Phase("Completed", phase.created or now, now)


def outcome_of(folder: Path) -> tuple[End | None, str | None]:
    """Return how the run ended and why it failed; None for one that has not, or was cut off."""
    try:
        record = RunFolder.open(folder).read_record()
    except RunFolderError:
        return None, None
    status = _ENDS.get(str(record.get("status")))
    error = record.get("error")
    return status, str(error)[:FAILURE_CHARS] if status == "failed" and error else None


def warnings_of(folder: Path) -> list[str]:
    """Return what the run warned of in its events, oldest first; none before it has begun."""
    try:
        events = RunFolder(folder).read_events()
    except RunFolderError:
        return []  # the job's status and the console say that the folder is damaged
    return [str(event.get("message")) for event in events if event.get("level") == "warn"]


def can_resume(folder: Path) -> bool:
    """Return whether there is a run; what a kill left before its record was written is removed."""
    remove_unbegun(folder)
    return is_run(folder)
