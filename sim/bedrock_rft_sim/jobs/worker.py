"""The thread that keeps the jobs' child processes going.

It alone starts children, asks them to stop and forgets them, so that no two threads meet over one.
A child is listed as begun before it is started, and started under its lock: a kill of the server at
any instant leaves a row that says so, and at most one child.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from signal import SIGINT, SIGKILL

from bedrock_rft_sim.jobs.children import Child, Ladder, child_environment
from bedrock_rft_sim.jobs.job import Job
from bedrock_rft_sim.jobs.paths import JobPaths
from bedrock_rft_sim.jobs.progress import can_resume, outcome_of, phases_of, status_of
from bedrock_rft_sim.jobs.registry import Registry
from bedrock_rft_sim.jobs.retries import Retries, say
from bedrock_rft_sim.jobs.transitions import begin, end, wait_again

TICK_S = 0.2
ACTIVE = ("validating", "running", "stopping")

Start = Callable[[Path, Job, bool], Sequence[str]]
"""From the recipe's file, the job and whether its run is to be resumed: the child's command."""
Delivery = Callable[[Job], None]


@dataclass
class Worker:
    """Takes up, follows, starts and delivers, again and again until it is closed."""

    registry: Registry
    paths: JobPaths
    parallel: int
    command: Start
    deliver: Delivery | None
    ladder: Ladder
    variables: Callable[[], Mapping[str, str]]
    _children: dict[str, Child] = field(default_factory=dict)
    _retries: Retries = field(default_factory=Retries)
    _has_looked_at_all: bool = False
    _wake: threading.Event = field(default_factory=threading.Event)
    _closing: bool = False
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look at once."""
        self._wake.set()

    def close(self, *, seconds: float) -> None:
        """End the thread, then the children: after the step in progress, or killed."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        for child in self._children.values():
            child.signal(SIGINT)
        deadline = time.monotonic() + seconds
        for child in self._children.values():
            if not child.wait(max(0.0, deadline - time.monotonic())):
                child.signal(SIGKILL)
                child.wait(seconds)

    def _work(self) -> None:
        while not self._closing:
            self._guarded("taking up jobs", self._take_up_all)
            self._guarded("following jobs", self._follow_all)
            self._guarded("starting jobs", self._start_waiting)
            self._guarded("delivering ends", self._deliver_all)
            self._wake.wait(TICK_S)
            self._wake.clear()

    def _guarded(
        self, action: str, act: Callable[[], None], give_up: Callable[[str], None] | None = None
    ) -> None:
        """Act; an error ends neither the thread nor what is done for other jobs."""
        if not self._retries.is_due(action):
            return
        try:
            act()
        except Exception as error:  # noqa: BLE001 - a border: one job must not end all the others
            is_hopeless = self._retries.note(action, error)
            if is_hopeless and give_up is not None:
                say(f"{action}: given up")
                self._retries.forget(action)
                message = f"{type(error).__name__}: {error}"
                self._guarded(f"giving up {action}", partial(give_up, message))
        else:
            self._retries.forget(action)

    def _each(
        self,
        doing: str,
        jobs: Iterable[Job],
        act: Callable[[Job], None],
        give_up: Callable[[Job, str], None],
    ) -> None:
        for job in jobs:
            self._guarded(f"{doing} {job.id}", partial(act, job), partial(give_up, job))

    # Take up: what runs and has no child here, because another server or a failed start left it

    def _take_up_all(self) -> None:
        statuses = ACTIVE if self._has_looked_at_all else ("queued", *ACTIVE)
        found = self.registry.with_status(*statuses)
        alone = [job for job in found if job.id not in self._children]
        self._each("taking up", alone, self._take_up, self._fail)
        self._has_looked_at_all = True

    def _take_up(self, job: Job) -> None:
        child = Child.left_behind(lock=self.paths.lock(job.id), log=self.paths.log(job.id))
        if child is not None:
            self._children[job.id] = child
            if job.status == "queued":
                begin(self.registry, job)
        elif job.status != "queued":
            self._conclude(job, child=None)

    # Follow: see how far the running jobs are, and which of them ended

    def _follow_all(self) -> None:
        jobs = [self.registry.get(job_id) for job_id in self._children]
        self._each("following", jobs, self._follow, self._give_up_following)

    def _follow(self, job: Job) -> None:
        child = self._children[job.id]
        is_alive = child.is_alive()
        job = self.registry.get(job.id)
        self._note_progress(job)
        if not is_alive:
            self._conclude(self.registry.get(job.id), child)
            del self._children[job.id]
        elif job.status == "stopping":
            child.stop(self.ladder)

    def _note_progress(self, job: Job) -> None:
        phases = phases_of(job, time.time())
        is_going = job.status in ("validating", "running")
        if phases == job.phases and (not is_going or job.status == status_of(phases)):
            return
        with self.registry.transaction():
            status = self.registry.get(job.id).status
            status = status_of(phases) if status in ("validating", "running") else status
            self.registry.set(job.id, phases=phases, status=status, modified=time.time())

    def _conclude(self, job: Job, child: Child | None) -> None:
        """Decide what an ended child means: the job's end, or another start.

        None: one that ended while no server watched it.
        """
        status, failure = outcome_of(job.folder)
        exit_code = child.exit_code if child is not None else None
        with self.registry.transaction():
            is_stopping = self.registry.get(job.id).status == "stopping"
            if status == "completed" or status == "failed":
                end(self.registry, job, status, failure)
            elif is_stopping or (status == "stopped" and child is not None):
                end(self.registry, job, "stopped", None)
            elif child is None or exit_code is None or exit_code < 0:
                wait_again(self.registry, job, counts=child is not None)
            else:
                message = child.last_words() or f"the training ended with exit code {exit_code}"
                end(self.registry, job, "failed", message)

    def _give_up_following(self, job: Job, message: str) -> None:
        """Let a child that lives go on unseen; one that ended has failed."""
        if not self._children[job.id].is_alive():
            del self._children[job.id]
            self._fail(job, message)

    # Start: what waits, oldest first

    def _start_waiting(self) -> None:
        for job in self.registry.with_status("queued"):
            if len(self._children) < self.parallel:
                self._each("starting", [job], self._start, self._fail)

    def _start(self, job: Job) -> None:
        with self.registry.transaction():
            if self.registry.get(job.id).status != "queued":
                return  # stopped meanwhile
            begin(self.registry, job)
        self._children[job.id] = Child.start(
            partial(self._command_of, job),
            lock=self.paths.lock(job.id),
            log=self.paths.log(job.id),
            environment={**child_environment(os.environ), **self.variables()},
            cwd=self.paths.children,
        )

    def _command_of(self, job: Job) -> Sequence[str]:
        """Return the command; called with the job's lock held, since it may clear the folder."""
        return self.command(self.paths.recipe(job.id), job, can_resume(job.folder))

    def _fail(self, job: Job, message: str) -> None:
        with self.registry.transaction():
            if not self.registry.get(job.id).has_ended:
                message = (
                    f"the local endpoint can't run this job; its log has the traceback ({message})"
                )
                end(self.registry, job, "failed", message)

    # Deliver: hand over what ended

    def _deliver_all(self) -> None:
        ended = self.registry.undelivered()
        self._each("delivering", ended, self._deliver_end, self._give_up_delivery)

    def _deliver_end(self, job: Job) -> None:
        if self.deliver is not None:
            self.deliver(job)
        self.registry.set(job.id, delivered=1)

    def _give_up_delivery(self, job: Job, _message: str) -> None:
        self.registry.set(job.id, delivered=1)
