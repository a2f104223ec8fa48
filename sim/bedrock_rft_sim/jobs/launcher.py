"""Leave one's process id in a job's lock, then become the job's command.

Run as a script in the child process and not imported; standard library only.
The lock was taken by the server and handed down; it belongs to the process and its command alike
and ends with them, however they end, so that no job runs twice.

Arguments: the lock's descriptor, then the command.
Sources: POSIX (`flock`, `exec`).
"""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Write down the process id, exec."""
    lock, command = int(sys.argv[1]), sys.argv[2:]
    os.write(lock, str(os.getpid()).encode())
    # A server started in the background of a shell ignores SIGINT, and so would its children.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606 - the command is the server's own


if __name__ == "__main__":
    main()
