"""Lambda's file system for Python code, where the kernel offers no namespaces (macOS, some Linux).

An audit hook refuses to write, with errno 30, outside the container's own temporary folder; paths
below /tmp lead there.
What it can't hold: programs that the handler starts, extensions in C that open files themselves
(their paths below /tmp are the machine's), and the 512 MB of /tmp.
Run in the child process; uses the standard library only.

Sources: AWS Lambda developer guide, "Lambda execution environment"; Python's table of audit events.
"""

from __future__ import annotations

import builtins
import io
import os
import stat
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

READ_ONLY_FILE_SYSTEM = 30  # of Linux, whatever machine this is
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {
    "os.mkdir": ((0, 2),), "os.remove": ((0, 1),), "os.rmdir": ((0, 1),),
    "os.rename": ((0, 2), (1, 3)), "os.link": ((1, 3),), "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),), "os.chmod": ((0, 2),), "os.chown": ((0, 3),),
    "os.utime": ((0, 3),), "os.setxattr": ((0, None),), "os.removexattr": ((0, None),),
    "os.chflags": ((0, None),),
}  # fmt: skip
"""Audit event -> which arguments are a path that changes and the folder it is relative to."""
ONE_PATH = (
    "access", "chdir", "chflags", "chmod", "chown", "lchmod", "lchown", "listdir", "listxattr",
    "getxattr", "lstat", "mkdir", "mkfifo", "mknod", "open", "pathconf", "readlink", "remove",
    "removexattr", "rmdir", "scandir", "setxattr", "stat", "statvfs", "truncate", "unlink", "utime",
)  # fmt: skip
TWO_PATHS = ("link", "rename", "replace", "symlink")
NAMED = frozenset({"path", "file", "src", "dst"})
UNAUDITED = ("mkfifo", "mknod")
_lstat, _getcwd = os.lstat, os.getcwd


def install(tmp: str) -> None:
    """Lead /tmp to this folder, and refuse to write anywhere else from now on."""
    own = os.path.realpath(tmp)
    for name in (*ONE_PATH, *TWO_PATHS):
        call = getattr(os, name, None)
        if call is not None:
            count = 2 if name in TWO_PATHS else 1
            led = _led(call, own, paths=count, refuses=name in UNAUDITED)
            setattr(os, name, led)
            for takers in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
                if call in takers:
                    takers.add(led)
    builtins.open = io.open = _led(io.open, own, paths=1)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & WRITES and _is_creatable_or_file(path):
                _refuse_outside(path, own)
        elif event in CHANGES:
            for position, folder in CHANGES[event]:
                base = arguments[folder] if folder is not None else -1
                if not (event == "os.mkdir" and _mode(arguments[position]) is not None):
                    _refuse_outside(arguments[position], own, folder=base)

    sys.addaudithook(watch)


def _led(
    call: Callable[..., Any], own: str, *, paths: int, refuses: bool = False
) -> Callable[..., Any]:
    """Return the call with its first arguments led from /tmp to `own`."""

    def led(*arguments: Any, **options: Any) -> Any:
        moved = [_moved(argument, own) for argument in arguments[:paths]]
        for name in NAMED & options.keys():
            options[name] = _moved(options[name], own)
        if refuses and moved:
            _refuse_outside(moved[0], own)
        return call(*moved, *arguments[paths:], **options)

    return partial(led)  # unlike a function it is no method where a class keeps it


def _moved(path: Any, own: str) -> Any:
    if isinstance(path, int) or path is None:
        return path
    try:
        text = os.fsdecode(path)
    except TypeError:
        return path  # the call itself says what is wrong with it
    if text.startswith("/dev/shm"):
        return f"{own}-none{text}"  # Lambda has no such folder
    if not text.startswith("/tmp") or text.startswith((os.path.dirname(own), sys.base_prefix)):
        return path  # the code, this folder itself and Python may lie below the machine's /tmp
    text = os.path.normpath(text)
    if text != "/tmp" and not text.startswith("/tmp/"):
        return path
    moved = own + text[len("/tmp") :]
    return os.fsencode(moved) if isinstance(path, bytes) else moved


def _refuse_outside(path: Any, own: str, *, folder: Any = -1) -> None:
    """Raise what a read-only file system raises, where the path is not below `own`."""
    if isinstance(path, int) or path is None:
        return
    text = os.path.join(_base(folder), os.fsdecode(path).rstrip("/") or "/")
    parent = os.path.realpath(os.path.dirname(text))
    is_inside = parent == own or parent.startswith(own + "/")
    if not is_inside and _mode(parent) is not None:
        raise OSError(READ_ONLY_FILE_SYSTEM, "Read-only file system", path)


def _base(folder: Any) -> str:
    """Return the folder that a relative path starts from."""
    if not isinstance(folder, int) or folder < 0:
        return _getcwd()
    if sys.platform == "darwin":
        import fcntl

        return os.fsdecode(fcntl.fcntl(folder, 50, bytes(1024)).rstrip(b"\0"))  # F_GETPATH
    return os.readlink(f"/proc/self/fd/{folder}")


def _is_creatable_or_file(path: Any) -> bool:
    """Whether opening it for writing would change a file system; a device or a pipe does not."""
    if isinstance(path, int):
        return False
    mode = _mode(path)
    return mode is None or stat.S_ISREG(mode)


def _mode(path: Any) -> int | None:
    try:
        return _lstat(os.path.realpath(path)).st_mode
    except (OSError, ValueError, TypeError):
        return None
