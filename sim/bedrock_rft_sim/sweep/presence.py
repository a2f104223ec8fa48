"""Who is at work on a sweep's folder, and whether the disk shows them each other's locks.

Locks keep a point from being made twice. Some disks have none, and some grant the same lock on two
machines at once. So each sweep holds a lock on a file of its own and touches it again and again:
one that is touched although its lock is free belongs to a sweep whose locks can't be seen from
here. A touch is seen by its time having changed, so that clocks of machines need not agree.
Whom a network disk has forgotten is found out with the disk's own delay (NFS 4: 90 s by default).
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from bedrock_rft_sim import files
from bedrock_rft_sim.errors import RunFolderError

SWEEPS: Final = "at-work"
TOUCH_S: Final = 2.0
PATIENCE_S: Final = 10.0
"""Assumed: within this time a sweep that lives has touched its file."""


@contextlib.contextmanager
def present(out: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Be known as at work on the folder for the block; `say` gets what is waited for.

    Raises:
        RunFolderError: another sweep is at work there, and its locks can't be seen.
    """
    files.make_folder(out / SWEEPS)
    own = out / SWEEPS / f"{os.getpid()}-{secrets.token_hex(4)}@{_machine()}"
    with files.named_errors(own, "show that a sweep is at work"):
        lock = files.Lock(own)
    ended = threading.Event()
    threading.Thread(target=_touch, args=(own, ended), daemon=True).start()
    try:
        _demand_locks(own, say)
        yield
    finally:
        ended.set()
        own.unlink(missing_ok=True)
        lock.release()


def _machine() -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", platform.node())


def _touch(own: Path, ended: threading.Event) -> None:
    while not ended.wait(TOUCH_S):
        with contextlib.suppress(OSError):  # next time, perhaps
            os.utime(own)


def _demand_locks(own: Path, say: Callable[[str], None]) -> None:
    """Wait and see whether others whose lock is free are alive; forget those that are not."""
    with files.named_errors(own.parent, "look who is at work"):
        free = [path for path in own.parent.iterdir() if path != own and not files.is_held(path)]
        knows_own = files.is_held(own)  # then a free lock of this machine is a dead sweep's
        doubtful = {
            path: _touched(path)
            for path in free
            if not (knows_own and path.name.endswith(f"@{_machine()}"))
        }
        if doubtful:
            say(f"looking for {PATIENCE_S:g} s whether a sweep that was here is alive")
            time.sleep(PATIENCE_S)
        for path in free:
            if path in doubtful and _touched(path) not in (None, doubtful[path]):
                raise _unseen(own.parent.parent, path.name.rpartition("@")[2])
            path.unlink(missing_ok=True)


def _touched(path: Path) -> int | None:
    """Return when it was touched; None where it is gone. Opened, as NFS else remembers."""
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        return None


def _unseen(out: Path, machine: str) -> RunFolderError:
    return RunFolderError(
        "another sweep is at work here, and this disk does not show its locks",
        where=str(out),
        expected="a disk whose locks hold on all machines, such as NFS 4 (EFS), or Lustre mounted "
        "with flock",
        found=f"a sweep on {machine or 'some machine'} whose lock is free, although it is alive",
        hint="wait until it has ended, or give this sweep another folder with --out",
    )
