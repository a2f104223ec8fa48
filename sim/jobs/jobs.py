"""Jobs: create, look up, stop; and a worker that keeps their child processes going.

A job's truth is its run folder; the list remembers who asked for it and how far it was seen to be.
After a kill of server or child at any instant the next `Jobs` on the same root goes on: it finds
children that still live by their locks, resumes runs that were cut off, and starts what waited.
Not here: the training (a child runs `rft run`) and either door's words.

Sources: none of its own.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import string
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from signal import SIGINT, SIGKILL
from typing import Any

from sim.errors import RehearsalError
from sim.jobs.child import Child
from sim.jobs.job import Job, Kind, Phase, Phases
from sim.jobs.launcher import ALREADY_RUNNING
from sim.jobs.progress import leave_no_torn_start, outcome_of, phases_of
from sim.jobs.registry import Registry, RegistryError
from sim.runfolder.disk import Lock, named_errors, replace_file

TICK_S = 0.2
DEATHS_MAX = 5
"""Children killed from outside before a job is given up: memory that never suffices, say."""
STOP_WAIT_S = 10.0
ACTIVE = ("validating", "running", "stopping")
_LETTERS = string.ascii_lowercase + string.digits

Start = Callable[[Path, Job, bool], Sequence[str]]
"""From the recipe's file, the job and whether its run is to be resumed: the child's command."""
Delivery = Callable[[Job], None]


def rehearsal_command(recipe: Path, job: Job, resume: bool) -> Sequence[str]:
    """Return the command of an ordinary `rft run`."""
    command = [sys.executable, "-P", "-m", "sim", "run", str(recipe)]
    command += ["--out", str(job.folder.parent), "--name", job.id, "--quiet", "--json"]
    return [*command, "--resume"] if resume else command


class Jobs:
    """The jobs under one root; one server at a time may hold it."""

    def __init__(
        self,
        root: Path,
        parallel: int = 1,
        start: Start = rehearsal_command,
        deliver: Delivery | None = None,
    ) -> None:
        """Open the list and start the worker.

        `deliver` is told once of every job that ended, again after a restart if it did not return.

        Raises:
            RehearsalError: another server holds the root, or the list can't be read.
        """
        self.root = root.resolve()
        self._parallel = parallel
        self._command = start
        self._deliver = deliver
        for folder in (self.root, *(self.root / name for name in ("runs", "recipes", "children"))):
            with named_errors(folder, "create the folder"):
                folder.mkdir(parents=True, exist_ok=True)
        self._held = _hold(self.root)
        self._registry = Registry(self.root / "jobs.sqlite", runs=self.root / "runs")
        self._children: dict[str, Child] = {}
        self._wake = threading.Event()
        self._closing = False
        self._last_trouble = ""
        self._worker = threading.Thread(target=self._work, name="jobs", daemon=True)
        self._worker.start()

    def create(
        self,
        kind: Kind,
        recipe: Mapping[str, Any],
        *,
        name: str,
        request: dict[str, Any],
        token: str | None = None,
        extra: dict[str, Any] | None = None,
    ) -> Job:
        """Queue a job; the same kind and token again returns the job that is already there.

        Relative paths in the recipe start at `root/recipes`.
        """
        now = time.time()
        job_id = _bedrock_id() if kind == "bedrock" else str(uuid.uuid4())
        job = Job(
            id=job_id,
            kind=kind,
            name=name,
            request=request,
            extra=extra or {},
            status="queued",
            created=now,
            started=None,
            ended=None,
            modified=now,
            failure=None,
            folder=self.root / "runs" / job_id,
            phases=Phases(),
        )
        with self._registry.transaction():
            known = None if token is None else self._registry.with_token(kind, token)
            if known is not None:
                return known
            text = json.dumps(recipe, indent=2, allow_nan=False) + "\n"
            with named_errors(self._recipe(job), "write the recipe"):
                replace_file(self._recipe(job), text.encode())
            self._registry.add(job, token=token)
        self._wake.set()
        return job

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            UnknownJobError: no job has this id.
        """
        return self._registry.get(job_id)

    def list(self, kind: Kind) -> list[Job]:
        """Return the jobs of a kind, newest first."""
        return self._registry.of_kind(kind)

    def with_token(self, kind: Kind, token: str) -> Job | None:
        """Return the job that was created with this token."""
        return self._registry.with_token(kind, token)

    def with_name(self, kind: Kind, name: str) -> Job | None:
        """Return the newest job of this name."""
        return self._registry.with_name(kind, name)

    def stop(self, job_id: str) -> Job:
        """Ask a job to stop after the step in progress; one that has ended stays as it is.

        Raises:
            UnknownJobError: no job has this id.
        """
        with self._registry.transaction():
            job = self._registry.get(job_id)
            if job.status == "queued":
                self._end(job, "stopped", None)
            elif job.status in ("validating", "running"):
                self._registry.set(job.id, status="stopping", modified=time.time())
                child = self._children.get(job.id)
                if child is not None:
                    child.signal(SIGINT)
        self._wake.set()
        return self._registry.get(job_id)

    def update_extra(self, job_id: str, values: Mapping[str, Any]) -> Job:
        """Set keys of `extra`; the others stay.

        Raises:
            UnknownJobError: no job has this id.
        """
        with self._registry.transaction():
            job = self._registry.get(job_id)
            extra = {**job.extra, **values}
            self._registry.set(job_id, extra=extra, modified=time.time())
        return self._registry.get(job_id)

    def log_of(self, job_id: str) -> Path:
        """Return the file of what a job's child prints."""
        return self.root / "children" / f"{job_id}.log"

    def close(self, *, seconds: float = STOP_WAIT_S) -> None:
        """End the worker and the children; what ran is resumed by the next `Jobs` on this root."""
        if self._closing:
            return
        self._closing = True
        self._wake.set()
        self._worker.join()
        for child in self._children.values():
            child.signal(SIGINT)
        deadline = time.monotonic() + seconds
        for child in self._children.values():
            if not child.wait(max(0.0, deadline - time.monotonic())):
                child.signal(SIGKILL)
                child.wait(seconds)
        self._registry.close()
        self._held.release()

    # The worker, a thread of its own

    def _work(self) -> None:
        self._guarded(self._recover)
        while not self._closing:
            self._guarded(self._follow, self._start_waiting, self._deliver_ends)
            self._wake.wait(TICK_S)
            self._wake.clear()

    def _guarded(self, *parts: Callable[[], None]) -> None:
        """Do the parts; what a full disk refuses now is tried again at the next tick."""
        try:
            for part in parts:
                part()
        except (RehearsalError, OSError, sqlite3.Error) as error:
            if str(error) != self._last_trouble:
                self._last_trouble = str(error)
                print(f"jobs: {error}", file=sys.stderr)  # noqa: T201 - the server's own log

    def _recover(self) -> None:
        """Take up what an earlier server left: living children first, then runs cut off."""
        for job in self._registry.with_status(*ACTIVE):
            child = Child.left_behind(lock=self._lock_of(job), log=self.log_of(job.id))
            if child is not None:
                self._children[job.id] = child
                if job.status == "stopping":  # the request may have died with the server
                    child.signal(SIGINT)
            else:
                self._conclude(job, exit_code=None, is_recovery=True)

    def _follow(self) -> None:
        """See how far the running jobs are, and which of them ended."""
        for job_id, child in list(self._children.items()):
            is_alive = child.is_alive()
            job = self._registry.get(job_id)
            if is_alive:
                self._note_progress(job)
            elif child.exit_code == ALREADY_RUNNING:
                self._children[job_id] = Child(self._lock_of(job), self.log_of(job_id), None)
            else:
                del self._children[job_id]
                self._note_progress(job)
                self._conclude(self._registry.get(job_id), exit_code=child.exit_code)

    def _start_waiting(self) -> None:
        for job in self._registry.with_status("queued"):
            if len(self._children) >= self._parallel:
                return
            with self._registry.transaction():
                if self._registry.get(job.id).status != "queued":
                    continue  # stopped meanwhile
                now = time.time()
                started = job.started or now
                phases = replace(job.phases, validation=Phase("InProgress", started, now))
                values = {"status": "validating", "started": started, "modified": now}
                self._registry.set(job.id, **values, phases=phases)
                self._start(job)

    def _start(self, job: Job) -> None:
        resume = leave_no_torn_start(job.folder)
        command = self._command(self._recipe(job), job, resume)
        self._children[job.id] = Child.start(
            command, lock=self._lock_of(job), log=self.log_of(job.id)
        )

    def _note_progress(self, job: Job) -> None:
        phases = phases_of(job, time.time())
        if phases == job.phases:
            return
        with self._registry.transaction():
            status = self._registry.get(job.id).status
            is_training = phases.training.status == "InProgress"
            status = "running" if is_training and status == "validating" else status
            self._registry.set(job.id, phases=phases, status=status, modified=time.time())

    def _conclude(self, job: Job, *, exit_code: int | None, is_recovery: bool = False) -> None:
        """Decide what an ended child means: the job's end, or another start."""
        status, failure = outcome_of(job.folder)
        with self._registry.transaction():
            was_asked = self._registry.get(job.id).status == "stopping"
            if status in ("completed", "failed"):
                self._end(job, status, failure)
            elif was_asked or (status == "stopped" and not is_recovery):
                self._end(job, "stopped", None)
            elif is_recovery or exit_code is None or exit_code < 0:
                self._again(job, counts=not is_recovery)
            else:
                words = Child(self._lock_of(job), self.log_of(job.id), None).last_words()
                self._end(job, "failed", words or f"the training ended with exit code {exit_code}")

    def _again(self, job: Job, *, counts: bool) -> None:
        if counts and self._registry.count_death(job.id) >= DEATHS_MAX:
            self._end(job, "failed", f"the training process was killed {DEATHS_MAX} times")
        else:
            self._registry.set(job.id, status="queued", modified=time.time())

    def _end(self, job: Job, status: str, failure: str | None) -> None:
        now = time.time()
        word: Any = {"stopped": "Stopped", "failed": "Failed", "completed": "Completed"}[status]

        def ended(phase: Phase) -> Phase:
            is_open = phase.status == "InProgress" or (
                status == "completed" and phase.status == "NotStarted"
            )
            return Phase(word, phase.created or now, now) if is_open else phase

        phases = self._registry.get(job.id).phases
        phases = Phases(
            ended(phases.validation), ended(phases.data_processing), ended(phases.training)
        )
        values: dict[str, Any] = {"status": status, "failure": failure, "phases": phases}
        self._registry.set(job.id, **values, ended=now, modified=now)

    def _deliver_ends(self) -> None:
        for job in self._registry.undelivered():
            self._guarded(partial(self._deliver_end, job))

    def _deliver_end(self, job: Job) -> None:
        if self._deliver is not None:
            self._deliver(job)
        self._registry.set(job.id, delivered=1)

    def _recipe(self, job: Job) -> Path:
        return self.root / "recipes" / f"{job.id}.yaml"

    def _lock_of(self, job: Job) -> Path:
        return self.root / "children" / f"{job.id}.lock"


def _hold(root: Path) -> Lock:
    try:
        return Lock(root / ".lock")
    except (BlockingIOError, PermissionError) as error:
        raise RegistryError(
            "another server holds these jobs",
            where=str(root),
            hint="stop it first, or give this one another --root",
        ) from error


def _bedrock_id() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(12))
