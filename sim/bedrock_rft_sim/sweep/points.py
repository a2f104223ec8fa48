"""Make one point in a child process of its own, go on with one that was killed, reuse a finished.

A crash or a full memory ends the child alone, and gives back what it held. A child holds a lock on
its point, which ends with it: a point on which another sweep is at work, or a run that a killed
sweep left behind and that is about to stop, is waited for and never made twice.
With several GPUs, each child sees one of them.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any, Final

from bedrock_rft_sim import files
from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.jobs.children import LADDER, Child, Ladder
from bedrock_rft_sim.jobs.progress import can_resume, outcome_of
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.runs.folder import is_locked
from bedrock_rft_sim.sweep.file import Metric
from bedrock_rft_sim.sweep.outcome import PointOutcome, read_outcome, without_value
from bedrock_rft_sim.sweep.plan import RECIPES, Point

POINTS: Final = "points"
CLAIMS: Final = "claims"
CHILD: Final = (sys.executable, "-P", "-m", "bedrock_rft_sim.sweep.child")
POLL_S: Final = 0.05
AFTER_THE_STEP: Final[Ladder] = ((0.0, SIGTERM),)
"""However long the step takes: a user who does not want to wait presses Ctrl-C again."""

Watch = Callable[[Sequence[Mapping[str, Any]]], bool]
"""Takes the metric lines so far, whenever there are new ones; True gives the run up."""


class Interrupted(Exception):  # noqa: N818  an order, not an error
    """The user stopped the sweep."""


class _AlreadyMade(Exception):  # noqa: N818  no error
    """Another sweep finished the point meanwhile."""


@dataclass
class PointRunner:
    """Makes points below one folder."""

    out: Path
    metric: Metric
    command: Sequence[str] = CHILD
    """Starts a child; its arguments: recipe, parent, name, `new` or `resume`."""
    say: Callable[[str], None] = print
    gpus: Sequence[str] = ()
    """By the names that CUDA_VISIBLE_DEVICES takes; without any, children see what we see."""
    _children_of_gpu: Counter[str] = field(default_factory=Counter)
    _choosing: threading.Lock = field(default_factory=threading.Lock)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _children: set[Child] = field(default_factory=set)

    def folder(self, point: Point) -> Path:
        """Return the run folder of a point, whether or not it is there."""
        return self.out / POINTS / point.name

    def is_finished(self, point: Point) -> bool:
        """Whether the point needs no run any more."""
        return outcome_of(self.folder(point))[0] == "completed"

    def lines(self, point: Point) -> list[dict[str, Any]]:
        """Return the metric lines of a point so far."""
        return RunFolder.open(self.folder(point)).read_metrics()

    def read(self, point: Point) -> PointOutcome:
        """Return what came of a finished point; one whose folder is damaged has failed."""
        try:
            return read_outcome(self.folder(point), point, self.metric)
        except RehearsalError as error:
            return without_value(point, "failed", str(error))

    def make(self, point: Point, *, watch: Watch | None = None) -> PointOutcome:
        """Make the point unless it is finished; one that fails is an outcome, too.

        With `watch` the run is stopped once it says so; what to call that is its caller's business.

        Raises:
            Interrupted: the sweep was stopped meanwhile.
        """
        with self._one_gpu() as environment:
            try:
                child = self._start(point, environment)
            except _AlreadyMade:
                return self.read(point)
            self._children.add(child)
            try:
                self._follow(child, point, watch)
            finally:
                self._children.discard(child)
                child.release()
        if self._stopping.is_set():
            raise Interrupted
        why = _why_not(self.folder(point), child)
        return self.read(point) if why is None else without_value(point, "failed", why)

    def stop(self) -> None:
        """Stop every child after the step in progress, and start none."""
        self._stopping.set()

    def kill(self) -> None:
        """End every child at once; each goes on from its last checkpoint another time."""
        self._stopping.set()
        for child in list(self._children):
            child.signal(SIGKILL)

    def pause(self, seconds: float = POLL_S) -> None:
        """Wait a moment.

        Raises:
            Interrupted: the sweep was stopped meanwhile.
        """
        if self._stopping.wait(seconds):
            raise Interrupted

    @contextlib.contextmanager
    def _one_gpu(self) -> Iterator[Mapping[str, str] | None]:
        """Return a child's environment with the GPU that has the fewest; None without GPUs."""
        if not self.gpus:
            yield None
            return
        with self._choosing:
            gpu = min(self.gpus, key=self._children_of_gpu.__getitem__)
            self._children_of_gpu[gpu] += 1
        try:
            yield {**os.environ, "CUDA_VISIBLE_DEVICES": gpu}
        finally:
            with self._choosing:
                self._children_of_gpu[gpu] -= 1

    def _start(self, point: Point, environment: Mapping[str, str] | None) -> Child:
        """Start the child of a point, as soon as nobody else is at work on it."""
        is_waiting = False
        while True:
            if not is_locked(self.folder(point)):
                lock = self.claim_path(point.name)
                log = lock.with_suffix(".log")
                with files.named_errors(lock, "start a point"):
                    command = partial(self._command, point)
                    child = Child.start(
                        command, lock=lock, log=log, environment=environment, is_bound=True
                    )
                if child.process is not None:
                    return child
            if not is_waiting and self.is_taken(point):
                self.say(f"{point.name}: another process is at work on it; waiting")
                is_waiting = True
            self.pause()

    def _command(self, point: Point) -> Sequence[str]:
        """Write the point's recipe and return the command; called with the point locked."""
        if self.is_finished(point):
            raise _AlreadyMade
        folder = self.folder(point)
        recipe = self.out / RECIPES / f"{point.name}.yaml"
        doing = "write a point's recipe"
        files.write_file(recipe, point.recipe.text, doing, parents=True, durable=False)
        how = "resume" if can_resume(folder) else "new"
        return [*self.command, str(recipe), str(folder.parent), folder.name, how]

    def _follow(self, child: Child, point: Point, watch: Watch | None) -> None:
        is_given_up = False
        seen: tuple[int, int] | None = None
        while child.is_alive():
            stamp = _stamp(self.folder(point)) if watch is not None else None
            if watch is not None and stamp != seen:
                seen = stamp
                is_given_up = watch(self.lines(point))
            if is_given_up or self._stopping.is_set():
                child.stop(LADDER if is_given_up else AFTER_THE_STEP)
            time.sleep(POLL_S)

    def claim(self, name: str, held: contextlib.ExitStack) -> bool:
        """Take the lock of this name until `held` ends; False where somebody else has it.

        Raises:
            RunFolderError: the disk refuses.
        """
        path = self.claim_path(name)
        with files.named_errors(path, "take a lock"):
            try:
                held.callback(files.Lock(path).release)
            except files.BUSY:
                return False
        return True

    @contextlib.contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Wait for the lock of this name and hold it for the block.

        Raises:
            Interrupted: the sweep was stopped meanwhile.
        """
        with contextlib.ExitStack() as held:
            while not self.claim(name, held):
                self.pause()
            yield

    def is_taken(self, point: Point) -> bool:
        """Whether somebody else is at work on a point."""
        path = self.claim_path(point.name)
        with files.named_errors(path, "look at a lock"):
            return files.is_held(path) or is_locked(self.folder(point))

    def claim_path(self, name: str) -> Path:
        """Return the file of a lock, whose folder is there."""
        folder = self.out / CLAIMS
        files.make_folder(folder)
        return folder / f"{name}.lock"


def _stamp(folder: Path) -> tuple[int, int] | None:
    """Return what changes whenever a metric line is written; None before the first."""
    try:
        found = RunFolder(folder).metrics.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def _why_not(folder: Path, child: Child) -> str | None:
    """Return why the run is not complete; None where it is."""
    status, error = outcome_of(folder)
    if status == "completed":
        return None
    if error:
        return error.strip()
    printed, code = child.last_words(), child.exit_code
    if code is not None and code < 0:
        return f"its process was killed by signal {-code}" + (f": {printed}" if printed else "")
    return printed or f"it ended with {status or 'no run folder'} and exit code {code}"
