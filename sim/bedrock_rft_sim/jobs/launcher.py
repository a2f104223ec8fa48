"""Write the process id into the lock of a child, then become the child's command.

Run as a script in the child process and not imported; standard library only.
The parent took the lock and handed it down; it belongs to the process and its command alike and
ends with them, however they end, so that no job and no point of a sweep runs twice.

Arguments: the lock's descriptor, then the command.
Sources: POSIX (`flock`, `exec`).
"""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Write the process id, then exec."""
    lock, command = int(sys.argv[1]), sys.argv[2:]
    # A parent started in the background of a shell ignores SIGINT, and so would its children.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.write(lock, str(os.getpid()).encode())  # from here on no signal is lost
    os.execv(command[0], command)  # noqa: S606 - the command is the parent's own


if __name__ == "__main__":
    main()
