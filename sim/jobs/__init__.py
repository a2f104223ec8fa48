"""Jobs: a job is a run folder with a child process, remembered in one SQLite file."""

from sim.jobs.job import Job, Kind, Phase, Phases, Status, UnknownJobError
from sim.jobs.jobs import Jobs, rehearsal_command
from sim.jobs.worker import Start

__all__ = [
    "Job",
    "Jobs",
    "Kind",
    "Phase",
    "Phases",
    "Start",
    "Status",
    "UnknownJobError",
    "rehearsal_command",
]
