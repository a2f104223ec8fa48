"""Make one point in a child process of its own, go on with one that was killed, reuse a finished.

A crash or a full memory ends the child alone, and gives back what it held. Whoever makes a point
holds a lock on it, which ends with the process: a point on which another sweep is at work, or a
run that a killed sweep left behind and that is about to stop, is waited for and never made twice.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.contract import statuses
from bedrock_rft_sim.errors import RunFolderError
from bedrock_rft_sim.runs import RunFolder, disk, is_locked, is_run, remove_unbegun
from bedrock_rft_sim.sweep.settings import RECIPES, Point

POINTS: Final = "points"
CLAIMS: Final = "claims"
CHILD: Final = (sys.executable, "-m", "bedrock_rft_sim.sweep.child")
POLL_S: Final = 0.05
MESSAGE_MAX: Final = 2000

Watch = Callable[[Sequence[Mapping[str, Any]]], bool]
"""Takes the metric lines so far, whenever there are new ones; True gives the run up."""


class Interrupted(Exception):  # noqa: N818  an order, not an error
    """The user stopped the sweep."""


@dataclass
class Runner:
    """Makes points below one folder."""

    out: Path
    command: Sequence[str] = CHILD
    """Starts a child; its arguments: recipe, parent, name, `new` or `resume`."""
    say: Callable[[str], None] = print
    _stopping: threading.Event = field(default_factory=threading.Event)
    _children: set[subprocess.Popen[bytes]] = field(default_factory=set)

    def folder(self, point: Point) -> Path:
        """Return the run folder of a point, whether or not it is there."""
        return self.out / POINTS / point.name

    def is_finished(self, point: Point) -> bool:
        """Whether the point needs no run any more."""
        return _status(self.folder(point)) == statuses.COMPLETED

    def lines(self, point: Point) -> list[dict[str, Any]]:
        """Return the metric lines of a point so far."""
        return _lines(self.folder(point))

    def make(self, point: Point, *, watch: Watch | None = None) -> str | None:
        """Make the point unless it is finished; return None, or why it failed or was given up.

        With `watch` the run is stopped once it says so; what to call that is its caller's business.

        Raises:
            Interrupted: the sweep was stopped meanwhile.
        """
        with contextlib.ExitStack() as held:
            self._wait_for_others(point, held)
            if self.is_finished(point):
                return None
            return self._make(point, watch)

    def _make(self, point: Point, watch: Watch | None) -> str | None:
        folder = self.folder(point)
        recipe = self.out / RECIPES / f"{point.name}.yaml"
        with disk.named_errors(recipe, "write a point's recipe"):
            recipe.parent.mkdir(parents=True, exist_ok=True)
            disk.replace_file(recipe, point.text.encode(), durable=False)
        how = "resume" if _can_resume(folder) else "new"
        return self._run(folder, [str(recipe), str(folder.parent), folder.name, how], watch)

    def stop(self) -> None:
        """Ask every child to stop after the step in progress, and start none."""
        self._stopping.set()
        for child in list(self._children):
            child.terminate()

    def kill(self) -> None:
        """End every child at once; each goes on from its last checkpoint another time."""
        self._stopping.set()
        for child in list(self._children):
            child.kill()

    def pause(self, seconds: float = POLL_S) -> None:
        """Wait a moment.

        Raises:
            Interrupted: the sweep was stopped meanwhile.
        """
        if self._stopping.wait(seconds):
            raise Interrupted

    def _run(self, folder: Path, arguments: list[str], watch: Watch | None) -> str | None:
        with tempfile.TemporaryFile() as errors:
            child = subprocess.Popen(
                [*self.command, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
            self._children.add(child)
            try:
                self._follow(child, folder, watch)
            finally:
                self._children.discard(child)
                if child.stdin is not None:
                    child.stdin.close()
            if self._stopping.is_set():
                raise Interrupted
            errors.seek(0)
            said = errors.read()[-MESSAGE_MAX:].decode("utf-8", "replace").strip()
        return _why_not(folder, child.returncode, said)

    def _follow(self, child: subprocess.Popen[bytes], folder: Path, watch: Watch | None) -> None:
        asked = given_up = False
        seen: tuple[int, int] | None = None
        while child.poll() is None:
            stamp = _stamp(folder) if watch is not None else None
            if watch is not None and stamp != seen:
                seen = stamp
                given_up = watch(_lines(folder))
            if (given_up or self._stopping.is_set()) and not asked:
                child.terminate()
                asked = True
            time.sleep(POLL_S)

    def claim(self, name: str, held: contextlib.ExitStack) -> bool:
        """Take the lock of this name until `held` ends; False where somebody else has it.

        Raises:
            RunFolderError: the disk refuses.
        """
        path = self.out / CLAIMS / f"{name}.lock"
        with disk.named_errors(path, "lock a point"):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                held.callback(disk.Lock(path).release)
            except disk.BUSY:
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
        with contextlib.ExitStack() as held:
            return not self.claim(point.name, held) or is_locked(self.folder(point))

    def _wait_for_others(self, point: Point, held: contextlib.ExitStack) -> None:
        told = False
        while not self.claim(point.name, held) or is_locked(self.folder(point)):
            held.close()
            if not told:
                self.say(f"{point.name}: another process is at work on it; waiting")
                told = True
            self.pause()


def _status(folder: Path) -> str | None:
    if not is_run(folder):
        return None
    return RunFolder.open(folder).read_record().get("status")


def _can_resume(folder: Path) -> bool:
    """Whether there is a run; what a kill left before its record was written is removed."""
    remove_unbegun(folder)
    return is_run(folder)


def _lines(folder: Path) -> list[dict[str, Any]]:
    if not is_run(folder):
        return []
    return RunFolder.open(folder).read_metrics()


def _stamp(folder: Path) -> tuple[int, int] | None:
    """Return what changes whenever a metric line is written; None before the first."""
    if not is_run(folder):
        return None
    try:
        found = RunFolder(folder, None).metrics.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def _why_not(folder: Path, code: int, said: str) -> str | None:
    """Return why the run is not complete; None where it is."""
    try:
        status = _status(folder)
        record = RunFolder.open(folder).read_record() if status else {}
    except RunFolderError as error:
        return str(error)
    if status == statuses.COMPLETED:
        return None
    if status == statuses.FAILED and record.get("error"):
        return str(record["error"]).strip()
    if code < 0:
        return f"its process was killed by signal {-code}" + (f": {said}" if said else "")
    return said or f"it ended with {status or 'no run folder'} and exit code {code}"
