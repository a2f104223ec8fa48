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
from collections.abc import Callable
from typing import Any

STACK_BYTES = 128 * 1024
NOT_IMPLEMENTED = 38  # of Linux, whatever machine this is
AWS_CALLS = (
    "wait_next_invocation",
    "post_invocation_result",
    "post_invocation_error",
    "post_init_error",
)


def main(
    client: str,
    runtime_dir: str,
    task_root: str,
    memory_mb: str,
    lifeline: str,
    confinement: str,
    handler: str,
) -> None:
    """Close this process in as Lambda is, tie it to the parent, set the import path, run."""
    sys.path.insert(0, os.path.dirname(__file__))  # for the two files that close it in
    if confinement == "namespaces":
        import lambda_namespaces as lambda_world

        lambda_world.enter(task_root, runtime_dir)
        lambda_world.split_off(int(lifeline))
        task_root, runtime_dir = lambda_world.TASK, lambda_world.RUNTIME
    else:
        import lambda_hooks

        _end_with_parent(int(lifeline))
        lambda_hooks.install(os.environ["TMPDIR"])
    _limit_memory(int(memory_mb))
    _refuse_shared_memory()
    sys.path[:1] = [task_root, runtime_dir]
    sys.argv = [client, handler]
    if client == "awslambdaric":
        from awslambdaric.__main__ import main as run
        from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

        _keep_to_this_process(LambdaRuntimeClient, AWS_CALLS)
        run(sys.argv)
    else:
        from lambda_stand_in import Client
        from lambda_stand_in import run as run_stand_in

        _keep_to_this_process(Client, ("next", "post"))
        run_stand_in(handler, os.environ["AWS_LAMBDA_RUNTIME_API"])


def _refuse_shared_memory() -> None:
    """Let what needs /dev/shm, which Lambda lacks, fail as it does there, whatever this machine."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(NOT_IMPLEMENTED, "Function not implemented")

    import _multiprocessing
    import _posixshmem

    names = {"__new__": refuse, "_rebuild": refuse}
    _multiprocessing.SemLock = type("SemLock", (_multiprocessing.SemLock,), names)
    _posixshmem.shm_open = refuse


def _keep_to_this_process(client: type, calls: tuple[str, ...]) -> None:
    """End a forked copy of this process before it talks to the runtime API."""
    own = os.getpid()

    def kept(call: Callable[..., Any]) -> Callable[..., Any]:
        def checked(*arguments: Any, **options: Any) -> Any:
            if os.getpid() != own:
                os.write(2, b"a forked copy of the handler's process came back, and was ended\n")
                os._exit(0)
            return call(*arguments, **options)

        return checked

    for name in calls:
        setattr(client, name, kept(getattr(client, name)))


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
