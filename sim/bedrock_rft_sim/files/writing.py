"""Append whole lines and replace whole files, so that a kill or a full disk leaves no half-truth.

An append reaches the operating system at once but is not synced: it survives the death of the
process, not that of the machine.

Sources: POSIX (`O_APPEND`, `rename`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from bedrock_rft_sim.errors import RehearsalError, RunFolderError


@contextlib.contextmanager
def named_errors(
    path: Path,
    doing: str,
    *,
    kind: type[RehearsalError] = RunFolderError,
    step: int | None = None,
    expected: str | None = None,
    hint: str | None = None,
) -> Iterator[None]:
    """Turn an OSError in the block into an error of ours that names the file and what was tried.

    Without a `hint` a RunFolderError says how to go on with the run.
    """
    try:
        yield
    except RehearsalError:
        raise
    except OSError as error:
        raise kind(
            f"can't {doing}",
            where=str(path),
            expected=expected,
            found=(error.strerror or str(error)) + (f", at step {step}" if step else ""),
            hint=_hint(error.errno) if hint is None and kind is RunFolderError else hint,
        ) from error


def _hint(number: int | None) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "free some space, then go on with --resume; everything written before is kept"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "make the folder writable, or choose another one with --out"
    return "check the disk and the path, then go on with --resume; what was written before is kept"


def append_line(path: Path, line: str) -> None:
    """Append the line and its newline, whole or not at all."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        size = os.fstat(descriptor).st_size
        try:
            _write_all(descriptor, (line + "\n").encode())
        except OSError:
            with contextlib.suppress(OSError):  # a device such as /dev/full can't be cut
                os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Give a new file to write, and put it in the place of `path` in one instant at the end.

    An exception in the block leaves `path` as it was. `durable` also outlives a power cut; `mode`
    is that of a new file, before the umask.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb", opener=partial(os.open, mode=mode)) as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def replace_file(path: Path, data: bytes, *, durable: bool = True, mode: int = 0o666) -> None:
    """Put `data` in the file's place in one instant; see `replacing`."""
    with replacing(path, durable=durable, mode=mode) as file:
        file.write(data)


def write_file(
    path: Path,
    content: bytes | str,
    doing: str,
    *,
    kind: type[RehearsalError] = RunFolderError,
    hint: str | None = None,
    parents: bool = False,
    durable: bool = True,
    mode: int = 0o666,
) -> None:
    """Put the content in the file's place; what the disk refuses is an error of this kind.

    `parents` makes the folders above it; see `named_errors` and `replacing`.
    """
    with named_errors(path, doing, kind=kind, hint=hint):
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        replace_file(path, data, durable=durable, mode=mode)


def make_folder(path: Path) -> None:
    """Create the folder and those above it, where they do not exist.

    Raises:
        RunFolderError: the disk refuses.
    """
    with named_errors(path, "create the folder"):
        path.mkdir(parents=True, exist_ok=True)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":  # a folder can't be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
