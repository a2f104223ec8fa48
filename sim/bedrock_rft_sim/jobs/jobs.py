"""Jobs: create, look up, stop; and a worker that keeps their child processes going.

What a job did is in its run folder; the list remembers the request and how far it was seen to be.
After a kill of server or child at any instant the next `Jobs` on the same root goes on: it finds
children that still live by their locks, resumes runs that were cut off, and starts what waited.
Not here: the training (a child runs `rft run`) and the words of either API.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bedrock_rft_sim.files import Lock, dump, read_json, sweep, write_file
from bedrock_rft_sim.jobs.children import LADDER, Ladder
from bedrock_rft_sim.jobs.job import BedrockDetails, Job, Kind, OpenAIDetails, new_bedrock_id
from bedrock_rft_sim.jobs.paths import JobPaths
from bedrock_rft_sim.jobs.registry import Registry, RegistryError
from bedrock_rft_sim.jobs.transitions import end
from bedrock_rft_sim.jobs.worker import Delivery, Start, Worker

STOP_WAIT_S = 8.0
"""Less than the ten seconds after which a container's engine kills what it asked to stop."""


def rehearsal_command(recipe: Path, job: Job, resume: bool) -> Sequence[str]:
    """Return the command of an ordinary `rft run`."""
    command = [sys.executable, "-P", "-m", "bedrock_rft_sim", "run", str(recipe)]
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
        *,
        ladder: Ladder = LADDER,
        variables: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """Open the list; `variables` are set for every child besides, which `work` starts.

        `deliver` is called once with every job that ended; again after a restart if it raised.

        Raises:
            RehearsalError: another server holds the root, or the list can't be read.
        """
        self.root = root.resolve()
        self._paths = JobPaths(self.root)
        self._paths.make()
        self._held = _hold(self.root)
        _sweep(self._paths)
        self._registry = Registry(self.root / "jobs.sqlite", runs=self._paths.runs)
        self._is_closed = False
        self._worker = Worker(
            self._registry, self._paths, parallel, start, deliver, ladder, variables
        )

    def work(self) -> None:
        """Start what waits and go on with what was cut off, from now on."""
        self._worker.start()

    def create(
        self,
        details: BedrockDetails | OpenAIDetails,
        recipe: Mapping[str, Any],
        *,
        name: str,
        request: dict[str, Any],
        token: str | None = None,
    ) -> Job:
        """Queue a job; the same API and token again returns the job that is already there.

        Relative paths in the recipe start at `root/recipes`.
        """
        now = time.time()
        is_bedrock = isinstance(details, BedrockDetails)
        job_id = new_bedrock_id() if is_bedrock else str(uuid.uuid4())
        job = Job(job_id, details, name, request, self._paths.runs / job_id, now, now)
        # Before the transaction, so that nobody waits for the disk; one left over does no harm.
        path = self._paths.recipe(job.id)
        write_file(path, dump(recipe, indent=2) + "\n", "write the recipe")
        with self._registry.transaction():
            known = None if token is None else self._registry.with_token(job.kind, token)
            if known is None:
                self._registry.add(job, token=token)
        if known is not None:
            path.unlink(missing_ok=True)
            return known
        self._worker.wake()
        return job

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            UnknownJobError: no job has this id.
        """
        return self._registry.get(job_id)

    @property
    def runs(self) -> Path:
        """The folder of the run folders, each named like its job."""
        return self._paths.runs

    def recipe(self, job_id: str) -> dict[str, Any]:
        """Return the recipe that a job runs with.

        Raises:
            RunFolderError: its file is gone or damaged.
        """
        return read_json(self._paths.recipe(job_id))

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

        A child that does not stop is asked again and in the end killed, see
        `bedrock_rft_sim.jobs.children`.

        Raises:
            UnknownJobError: no job has this id.
        """
        with self._registry.transaction():
            job = self._registry.get(job_id)
            if job.status == "queued":
                end(self._registry, job, "stopped", None)
            elif job.status in ("validating", "running"):
                self._registry.set(job.id, status="stopping", modified=time.time())
        self._worker.wake()
        return self._registry.get(job_id)

    def update_details(self, job_id: str, **values: Any) -> Job:
        """Set fields of a job's details; the others stay.

        Raises:
            UnknownJobError: no job has this id.
        """
        with self._registry.transaction():
            job = self._registry.get(job_id)
            details = replace(job.details, **values)
            self._registry.set(job_id, extra=details, modified=time.time())
        return self._registry.get(job_id)

    def close(self, *, seconds: float = STOP_WAIT_S) -> None:
        """End the worker and the children; what ran is resumed by the next `Jobs` on this root."""
        if self._is_closed:
            return
        self._is_closed = True
        self._worker.close(seconds=seconds)
        self._registry.close()
        self._held.release()


def _sweep(paths: JobPaths) -> None:
    """Remove what a killed server left half written, in the root and two folders deep.

    Run folders are left to their own next start, since a child may be writing there; what lies
    deeper is unpacked code of functions.
    """
    ours = [each for each in paths.root.iterdir() if each.is_dir() and each != paths.runs]
    below = (each for folder in ours for each in folder.iterdir() if each.is_dir())
    for folder in (paths.root, *ours, *below):
        sweep(folder)


def _hold(root: Path) -> Lock:
    try:
        return Lock(root / ".lock")
    except (BlockingIOError, PermissionError) as error:
        raise RegistryError(
            "another server holds these jobs",
            where=str(root),
            hint="stop it first, or give this one another --root",
        ) from error
