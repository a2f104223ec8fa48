"""Files on disk: written whole or not at all, appended by whole lines, locked, read as JSON.

It knows no file name of a run; `bedrock_rft_sim.runs` does. A kill or a full disk leaves no
half-truth: an append reaches the operating system at once but is not synced, so it survives the
death of the process, not that of the machine; a torn last line is what a kill leaves, and is no
damage; a lock ends with the process, however the process ends.

Sources: POSIX (`O_APPEND`, `rename`, `flock`).
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import shutil
import stat
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

from bedrock_rft_sim.errors import RehearsalError, RunFolderError

_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


@contextlib.contextmanager
def named_errors(
    where: Path | str,
    doing: str,
    *,
    kind: type[RehearsalError] = RunFolderError,
    step: int | None = None,
    expected: str | None = None,
    hint: str | None = None,
) -> Iterator[None]:
    """Turn what the system refuses in the block into an error that says where and what was tried.

    Text that is not UTF-8 is an error of the same kind. Without a `hint` a RunFolderError says how
    to go on with the run.
    """
    try:
        yield
    except RehearsalError:
        raise
    except OSError as error:
        raise kind(
            f"can't {doing}",
            where=str(where),
            expected=expected,
            found=(error.strerror or str(error)) + (f", at step {step}" if step else ""),
            hint=hint_of(error) if hint is None and kind is RunFolderError else hint,
        ) from error
    except UnicodeDecodeError as error:
        found = f"byte {error.object[error.start]:#04x} at position {error.start}"
        what = f"can't {doing}: not UTF-8"
        raise kind(what, where=str(where), expected="UTF-8", found=found) from error


def regular(path: Path) -> io.BufferedReader:
    """Open a file to read its bytes; one that is none is refused, as it may never end.

    Raises:
        OSError: it can't be opened, or is a folder, a pipe, a socket or a device.
    """
    kind = path.stat().st_mode  # asked first: opening a pipe waits for a writer
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(kind):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return path.open("rb")


def real(path: Path) -> Path:
    """Return the path without links; one that leads to itself stays, where `resolve` raises."""
    return Path(os.path.realpath(path))


def expanded(path: str) -> Path:
    """Return the path with ~ as the home folder; a user's whom nobody knows stays as written."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def hint_of(error: Exception) -> str:
    """Return how to go on with a run whose disk refused; a library may hide the error's number."""
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error):
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
    if path.exists() or path.is_symlink():
        regular(path).close()  # a rename would put a file in the place of a device
    temporary = _temporary(path)
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


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp")


def sweep(folder: Path) -> None:
    """Remove what a kill left half written in the folder; nobody else may be writing there.

    Raises:
        RunFolderError: the disk refuses.
    """
    with named_errors(folder, "remove what a kill left half written"):
        for left in folder.glob(".*.tmp"):
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink(missing_ok=True)


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


def as_new_files(folder: Path) -> None:
    """Give each file in the folder the mode of a new one: safetensors' are their owner's alone."""
    mode_of_new = folder / ".mode.tmp"
    mode_of_new.touch()
    mode = stat.S_IMODE(mode_of_new.stat().st_mode)
    mode_of_new.unlink()
    for each in folder.rglob("*"):
        if each.is_file():
            each.chmod(mode)


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


def dump(value: Mapping[str, Any], *, indent: int | None = None) -> str:
    """Return JSON; a non-finite number is our own mistake by now and raises ValueError."""
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(value, allow_nan=False, indent=indent, separators=separators)


def read_bytes(path: Path) -> bytes:
    """Return the content of a regular file; a pipe or a device is never waited for.

    Raises:
        RunFolderError: the file can't be read, or something else has its name.
    """
    with named_errors(path, "read the file", expected="a regular file"), regular(path) as file:
        return file.read()


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in the file.

    Raises:
        RunFolderError: the file can't be read or holds no JSON object.
    """
    text = read_bytes(path)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, None, str(error) or "no text") from error
    if not isinstance(value, dict):
        raise _damaged(path, None, type(value).__name__)
    return value


def table_beside(module: str, name: str) -> dict[str, Any]:
    """Return the TOML file of this name that lies beside a module, which gives its `__file__`."""
    return tomllib.loads(Path(module).with_name(name).read_text(encoding="utf-8"))


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of the file; a torn last line is left out, no file means no lines."""
    if not os.path.lexists(path):
        return []
    lines = read_bytes(path).split(b"\n")
    if not lines[-1]:
        lines.pop()
    values = []
    for number, line in enumerate(lines, start=1):
        value = _parse(line)
        if value is not None:
            values.append(value)
        elif number < len(lines):
            raise _damaged(path, number, repr(line[:60]))
    return values


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _damaged(
    path: Path, line: int | None, found: str, expected: str = "one JSON object"
) -> RunFolderError:
    return RunFolderError(
        "the file is damaged",
        where=str(path) if line is None else f"{path}:{line}",
        expected=expected + ("" if line is None else " per line"),
        found=found,
        hint="start the run anew under another name; this folder was changed by something else",
    )


def keep_lines(path: Path, keep: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Rewrite a JSON-lines file with the objects to keep, and return them."""
    if not os.path.lexists(path):
        return []
    kept = [value for value in read_json_lines(path) if keep(value)]
    replace_file(path, "".join(dump(value) + "\n" for value in kept).encode())
    return kept


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
