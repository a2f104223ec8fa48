"""The transitions of a job in the list: it begins, waits again, ends.

Deliberately knows no process; the caller keeps what belongs together in one transaction.
Sources: statuses of `bedrock_rft_sim.contract.statuses`.
"""

from __future__ import annotations

import time
from dataclasses import replace

from bedrock_rft_sim.jobs.job import ENDED, End, Job, Phase, Phases
from bedrock_rft_sim.jobs.progress import status_of
from bedrock_rft_sim.jobs.registry import Registry

DEATHS_MAX = 5
"""Children killed from outside before a job is given up: memory that never suffices, say."""


def begin(registry: Registry, job: Job) -> None:
    """A child is about to run; what an earlier one went through stays as it is."""
    now = time.time()
    phases = job.phases
    if phases.validation.status == "NotStarted":
        phases = replace(phases, validation=Phase("InProgress", now, now))
    started, status = job.started or now, status_of(phases)
    registry.set(job.id, status=status, phases=phases, started=started, modified=now)


def wait_again(registry: Registry, job: Job, *, counts: bool) -> None:
    """Put a job whose child is gone back into the queue, but not for ever."""
    if counts and registry.count_death(job.id) >= DEATHS_MAX:
        end(registry, job, "failed", f"the training process was killed {DEATHS_MAX} times")
    else:
        registry.set(job.id, status="queued", modified=time.time())


def end(registry: Registry, job: Job, status: End, failure: str | None) -> None:
    """End a job and its open phases; one that completed went through all of them."""
    now = time.time()

    def ended(phase: Phase) -> Phase:
        is_open = phase.status == "InProgress" or (
            status == "completed" and phase.status == "NotStarted"
        )
        return Phase(ENDED[status], phase.created or now, now) if is_open else phase

    phases = Phases(*map(ended, registry.get(job.id).phases.in_order))
    registry.set(job.id, status=status, failure=failure, phases=phases, ended=now, modified=now)
