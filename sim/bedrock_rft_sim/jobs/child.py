"""A job's process: start it, find it again after the server died, ask it to stop.

Whether it lives is told by the lock it holds, not by its process id, which another process may
have by now.
The child sees neither AWS credentials nor anything else that looks like a secret.
Sources: POSIX (`flock`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launcher.py")
TOLD_BYTES = 4000
WAIT_TICK_S = 0.02
_KEPT = re.compile(
    r"PATH|HOME|USER|LANG|LC_.*|TZ|TMPDIR|VIRTUAL_ENV|LD_LIBRARY_PATH|NO_COLOR|XDG_.*|HF_.*"
    r"|TRANSFORMERS_.*|TOKENIZERS_.*|OMP_.*|MKL_.*|CUDA_.*|NVIDIA_.*|PYTORCH_.*|PYTHON(HASHSEED|UTF8)"
    r"|(?i:HTTPS?_PROXY|NO_PROXY)|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE"
)
_SECRET = re.compile(r"TOKEN$|SECRET|PASSWORD|CREDENTIAL|_KEY$|_KEY_ID$", re.IGNORECASE)


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables a child may see: where things are and how to compute, no secrets."""
    kept = {
        name: value
        for name, value in environment.items()
        if _KEPT.fullmatch(name) and not _SECRET.search(name)
    }
    return {**kept, "PYTHONPATH": str(Path(__file__).resolve().parent.parent.parent)}


class Child:
    """The process of one job, ours or one that an earlier server left behind."""

    def __init__(self, lock: Path, log: Path, process: subprocess.Popen[bytes] | None) -> None:
        self._lock = lock
        self._log = log
        self._process = process

    @classmethod
    def start(cls, command: Callable[[], Sequence[str]], *, lock: Path, log: Path) -> Child:
        """Start a command in a session of its own, so that Ctrl-C does not reach it.

        `command` is called once the lock is held, and the lock goes to the process as it is made:
        no instant is left in which a living child does not hold it.
        Where another process holds it already nothing is started, and that one is the child.
        """
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not _take(descriptor):
                return cls(lock, log, None)
            os.ftruncate(descriptor, 0)  # the id of a process that may be another's by now
            process = _launch(command(), descriptor=descriptor, folder=lock.parent, log=log)
        finally:
            os.close(descriptor)
        return cls(lock, log, process)

    @classmethod
    def left_behind(cls, *, lock: Path, log: Path) -> Child | None:
        """Return the process that still holds the lock; None where there is none."""
        child = cls(lock, log, None)
        return child if child.is_alive() else None

    def is_alive(self) -> bool:
        """Whether the process lives."""
        if self._process is not None:
            return self._process.poll() is None
        try:
            descriptor = os.open(self._lock, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            return not _take(descriptor)
        finally:
            os.close(descriptor)

    @property
    def exit_code(self) -> int | None:
        """Negative for a signal; None while it lives, or where it was not ours to wait for."""
        return None if self._process is None else self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; one that has ended meanwhile gets none."""
        pid = self._pid()
        if pid is not None and self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def wait(self, seconds: float) -> bool:
        """Wait for it to end; return whether it did."""
        deadline = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(WAIT_TICK_S)
        return True

    def last_words(self) -> str:
        """Return the end of what it printed."""
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, self._log.stat().st_size - TOLD_BYTES))
                return file.read().decode("utf-8", "replace").strip()
        except FileNotFoundError:
            return ""

    def _pid(self) -> int | None:
        if self._process is not None:
            return self._process.pid
        try:
            return int(self._lock.read_text())
        except (FileNotFoundError, ValueError):
            return None


def _take(descriptor: int) -> bool:
    """Take the lock; return whether nobody else holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _launch(
    command: Sequence[str], *, descriptor: int, folder: Path, log: Path
) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(LAUNCHER), str(descriptor), *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=folder,
            env=child_environment(os.environ),
            start_new_session=True,
            pass_fds=(descriptor,),
        )
