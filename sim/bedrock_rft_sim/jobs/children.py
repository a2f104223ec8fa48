"""A child process: started, found again after its parent died, asked to stop, killed in the end.

A child holds a lock that is handed over as it is made and that ends with it, however it ends.
Whether it lives is read from that lock, never from its process id, which another process may have
by now. It runs in a session of its own, so that Ctrl-C does not reach it, and what it prints is
appended to a file.
Sources: POSIX (`flock`); `bedrock_rft_sim.train.interrupt` for what signals do to a run.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM, Signals
from typing import Final

from bedrock_rft_sim.errors import SECRET_NAME
from bedrock_rft_sim.files import BUSY, Lock, is_held

LAUNCHER: Final = Path(__file__).with_name("launcher.py")
LAST_WORDS_BYTES: Final = 4000
WAIT_TICK_S: Final = 0.02

Ladder = Sequence[tuple[float, Signals]]
"""Seconds after the first request to stop, and the signal that is sent then."""
LADDER: Final[Ladder] = ((0.0, SIGINT), (60.0, SIGINT), (90.0, SIGTERM), (100.0, SIGKILL))
"""A run ends after the step in progress upon the first SIGINT, and at once upon the second. A first
one can be lost while Python is still importing, and a grader may hang, hence what follows."""

_KEPT = re.compile(
    r"PATH|HOME|USER|LANG|LC_.*|TZ|TMPDIR|VIRTUAL_ENV|LD_LIBRARY_PATH|NO_COLOR|XDG_.*|HF_.*"
    r"|TRANSFORMERS_.*|TOKENIZERS_.*|OMP_.*|MKL_.*|CUDA_.*|NVIDIA_.*|PYTORCH_.*|PYTHON(HASHSEED|UTF8)"
    r"|(?i:HTTPS?_PROXY|NO_PROXY)|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE"
)


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables a server's child may see: where things are, how to compute, no secrets.

    AWS credentials are among what is left out.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if _KEPT.fullmatch(name) and not SECRET_NAME.search(name)
    }
    return {**kept, "PYTHONPATH": str(Path(__file__).resolve().parent.parent.parent)}


@dataclass(eq=False)
class Child:
    """A process of ours, or one that an earlier parent left behind."""

    lock: Path
    log: Path
    process: subprocess.Popen[bytes] | None = None
    """None where an earlier parent started it."""
    log_start: int = 0
    """Bytes in the log before it was started."""
    _stop_requested: float | None = None
    _rung: int = 0

    @classmethod
    def start(
        cls,
        command: Callable[[], Sequence[str]],
        *,
        lock: Path,
        log: Path,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        is_bound: bool = False,
    ) -> Child:
        """Start a command; it holds the lock from its first instant.

        `command` is called once the lock is held. Where another process holds it already nothing is
        started, and that one is the child. One that `is_bound` has a standard input that ends when
        this process ends; any other one outlives it.
        """
        try:
            held = Lock(lock)
        except BUSY:
            return cls(lock, log)
        try:
            os.ftruncate(held.fileno(), 0)  # the id of a process that may be another's by now
            argv = [sys.executable, "-I", "-S", str(LAUNCHER), str(held.fileno()), *command()]
            with log.open("ab") as out:
                log_start = out.tell()
                process = subprocess.Popen(
                    argv,
                    stdin=subprocess.PIPE if is_bound else subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    cwd=cwd,
                    env=environment,
                    start_new_session=True,
                    pass_fds=(held.fileno(),),
                )
        finally:
            held.release()
        return cls(lock, log, process, log_start)

    @classmethod
    def left_behind(cls, *, lock: Path, log: Path) -> Child | None:
        """Return the process that still holds the lock; None where there is none."""
        return cls(lock, log) if is_held(lock) else None

    def is_alive(self) -> bool:
        """Whether the process lives."""
        return is_held(self.lock) if self.process is None else self.process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Negative for a signal; None while it lives, or where it was not ours to wait for."""
        return None if self.process is None else self.process.poll()

    def signal(self, number: Signals) -> None:
        """Send a signal; one that has ended meanwhile gets none."""
        pid = self._pid()
        if pid is not None and self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self, ladder: Ladder = LADDER) -> None:
        """Send the signal that is due, if any; to be called again and again until it has ended."""
        now = time.monotonic()
        if self._stop_requested is None:
            self._stop_requested = now
        if not self._rung and self.process is not None and not self.lock.stat().st_size:
            return  # its launcher has not written its id yet, and would lose the signal
        if self._rung < len(ladder) and now - self._stop_requested >= ladder[self._rung][0]:
            self.signal(ladder[self._rung][1])
            self._rung += 1

    def wait(self, seconds: float) -> bool:
        """Wait for it to end; return whether it did."""
        deadline = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(WAIT_TICK_S)
        return True

    def last_words(self) -> str:
        """Return the end of what it printed; of one left behind also what came before it."""
        with self.log.open("rb") as file:
            file.seek(max(self.log_start, self.log.stat().st_size - LAST_WORDS_BYTES))
            return file.read().decode("utf-8", "replace").strip()

    def release(self) -> None:
        """End the standard input of a bound child, which then ends if it has not yet."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()

    def _pid(self) -> int | None:
        if self.process is not None:
            return self.process.pid
        try:
            return int(self.lock.read_text())
        except (FileNotFoundError, ValueError):
            return None
