"""Take a job's lock, leave one's process id in it, then become the job's command.

Run as a script in the child process and not imported; standard library only.
The lock belongs to the process and its command alike and ends with them, however they end: whoever
comes second finds it taken and leaves with `ALREADY_RUNNING`, so that no job runs twice.

Arguments: the lock's path, then the command.
Sources: POSIX (`flock`, `exec`); EX_TEMPFAIL of sysexits.h.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys

ALREADY_RUNNING = 75


def main() -> None:
    """Lock, write down the process id, exec."""
    path, command = sys.argv[1], sys.argv[2:]
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(ALREADY_RUNNING)
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    os.set_inheritable(lock, True)
    # A server started in the background of a shell ignores SIGINT, and so would its children.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606 - the command is the server's own


if __name__ == "__main__":
    main()
