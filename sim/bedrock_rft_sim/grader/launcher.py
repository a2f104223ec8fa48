"""Run in the child process: make it look like Lambda, then hand over to the runtime client.

Not imported by `sim`; uses the standard library only, since the child sees nothing else.

Memory is limited as private data (RLIMIT_DATA on Linux): close to what Lambda counts, whereas a
limit on address space would also count libraries that are mapped but not used.
It differs from Lambda in two ways: Python sees a MemoryError where Lambda kills the process, and
each process that the handler starts has its own limit. macOS does not enforce it.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys

STACK_BYTES = 128 * 1024


def main(
    client: str, runtime_dir: str, task_root: str, memory_mb: str, lifeline: str, handler: str
) -> None:
    """Limit, tie to the parent, set the import path, run."""
    _limit_memory(int(memory_mb))
    _end_with_parent(int(lifeline))
    sys.path[:0] = [task_root, runtime_dir]
    sys.argv = [client, handler]
    if client == "awslambdaric":
        from awslambdaric.__main__ import main as run

        run(sys.argv)
    else:
        from lambda_stand_in import run as run_stand_in

        run_stand_in(handler, os.environ["AWS_LAMBDA_RUNTIME_API"])


def _limit_memory(memory_mb: int) -> None:
    try:
        import resource

        size = memory_mb * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    except (ImportError, ValueError, OSError):
        return  # not enforceable on this platform


def _end_with_parent(lifeline: int) -> None:
    """Kill the process group once the parent, which holds the other end, is gone."""

    def watch() -> None:
        os.read(lifeline, 1)
        os.kill(0, signal.SIGKILL)

    _thread.stack_size(STACK_BYTES)
    _thread.start_new_thread(watch, ())
    _thread.stack_size(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
