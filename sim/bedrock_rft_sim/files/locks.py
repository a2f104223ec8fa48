"""A lock on a file that ends with the process, however the process ends.

Source: POSIX (`flock`).
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Final

_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}

BUSY: Final = PermissionError if sys.platform == "win32" else BlockingIOError
"""What a lock held by another process raises."""


class Lock:
    """A lock on a file that ends with the process, however the process ends."""

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(self._descriptor)
        except OSError as error:
            if error.errno not in _NO_LOCKS_HERE:  # some network disks know no locks
                self.release()
                raise

    def fileno(self) -> int:
        """Return the descriptor, to hand the lock over to a child process."""
        assert self._descriptor is not None
        return self._descriptor

    def release(self) -> None:
        """Give the lock back; a second time does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of this file; nobody does where there is no file."""
    if not path.exists():
        return False
    try:
        Lock(path).release()
    except BUSY:
        return True
    return False


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
