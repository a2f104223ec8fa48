"""One task root for every verb: what is checked, audited, run, served or zipped is the same code.

A .py file is alone in its task root, as it would be in its zip; a folder comes with all it holds
but caches and version control; a .zip is unpacked.
The task root is a copy, to be read only: the user's own folder is never run from.
Where the handler's name has no module, it is the file's own, or `lambda_function` (what the Lambda
console creates) in a folder or a zip.

Source: AWS Lambda developer guide, "Working with .zip file archives" and quotas.
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import stat
import sys
import zipfile
import zlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bedrock_rft_sim.errors import HandlerError, PackageError
from bedrock_rft_sim.files import named_errors

HANDLER_MAX = 128
NAME_BYTES_MAX = 250
"""Of a file's name here; most systems take 255 bytes."""
HANDLER = re.compile(rf"[^\s\x00-\x1f\x7f\ud800-\udfff]{{1,{HANDLER_MAX}}}")
"""Lambda's own pattern is `[^\\s]+`; what no process can be given is out too."""
UNZIPPED_BYTES_MAX = 250 * 1024 * 1024
QUOTAS = "AWS Lambda developer guide, quotas"
DEFAULT_MODULE = "lambda_function"
FORMS = "a .py file, a folder or a .zip with a Lambda handler"
LEFT_OUT_FOLDERS = frozenset(
    {".git", ".hg", ".svn", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache",
     ".hypothesis", ".tox", ".nox", ".venv"}
)  # fmt: skip
LEFT_OUT_FILES = frozenset({".DS_Store", "Thumbs.db"})
LEFT_OUT_SUFFIXES = frozenset({".pyc", ".pyo"})
DAMAGED = (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, zlib.error,
            lzma.LZMAError)  # fmt: skip
"""What Python's zipfile and its decompressors raise over a damaged or an encrypted zip."""


@dataclass(frozen=True)
class Member:
    """One file of a package: its name there, in POSIX form, and where it comes from."""

    name: str
    source: Path
    size: int
    executable: bool


@dataclass(frozen=True)
class Package:
    """What Lambda would be given: a folder of code and `module.function`."""

    root: Path
    handler: str
    alone: Path | None = None
    """The .py file, where that was all."""

    @property
    def hides(self) -> list[str]:
        """Files at its top that stand before a module of Python's own, which they hide."""
        found = (path for path in self.root.iterdir() if path.suffix == ".py" or path.is_dir())
        return sorted(path.name for path in found if path.stem in sys.stdlib_module_names)

    def left_behind(self, name: str) -> str | None:
        """Return the file or folder beside a lone .py file that a missing name stands for."""
        if self.alone is None or len(name.encode("utf-8", "replace")) > NAME_BYTES_MAX:
            return None
        beside = (self.alone.parent / found for found in (f"{name}.py", name))
        return next((path.name for path in beside if path.exists()), None)


def open_package(reward: Path, *, handler: str, scratch: Path) -> Package:
    """Make the task root of a reward under `scratch`.

    Raises:
        HandlerError: there is no reward, or its handler can't be named.
        PackageError: a file can't go into it, or it is larger than Lambda accepts.
    """
    reward, root = reward.resolve(), scratch / "task"
    if reward.suffix == ".zip" and reward.is_file():
        unpack(reward, root)
    else:
        members, _ = collect(reward)
        root.mkdir()
        for member in members:
            copied = root / member.name
            copied.parent.mkdir(parents=True, exist_ok=True)
            with reading(member.source):
                shutil.copyfile(member.source, copied)
            copied.chmod(0o755 if member.executable else 0o644)
    name = handler_name(reward, handler, modules=[path.stem for path in root.glob("*.py")])
    return Package(root, name, reward if reward.is_file() and reward.suffix == ".py" else None)


def collect(reward: Path, *, out: Path | None = None) -> tuple[list[Member], list[str]]:
    """Return what a .py file or a folder puts into its package, by name, and what is left out.

    `out`, where the zip will lie, is never part of it.

    Raises:
        HandlerError: there is no reward.
        PackageError: a file can't go into it, or it is larger than Lambda accepts.
    """
    if reward.is_dir():
        members, left_out = _in_folder(reward, out=out)
    elif reward.is_file() and reward.suffix == ".py":
        members, left_out = [_member(reward, reward.name)], []
    else:
        found = f"a {reward.suffix or 'plain'} file" if reward.exists() else "nothing of that name"
        raise HandlerError("there is no reward", where=str(reward), expected=FORMS, found=found)
    unzipped = sum(member.size for member in members)
    if unzipped > UNZIPPED_BYTES_MAX:
        raise too_large(reward, unzipped, UNZIPPED_BYTES_MAX, "unzipped")
    return members, left_out


def handler_name(reward: Path, handler: str, *, modules: list[str]) -> str:
    """Return `module.function` for a reward whose package has these modules at its top.

    Raises:
        HandlerError: Lambda can't import the file, or the handler is in another module.
    """
    if not HANDLER.fullmatch(handler):
        raise HandlerError(
            "Lambda does not take the handler's name",
            where=str(reward),
            expected=f"at most {HANDLER_MAX} printable characters without a space",
            found=repr(handler[:HANDLER_MAX]),
        )
    module, _, function = handler.rpartition(".")
    if reward.is_dir() or reward.suffix != ".py":
        only = modules[0] if len(modules) == 1 else DEFAULT_MODULE
        return handler if module else f"{only}.{function}"
    if "." in reward.stem or reward.stem.split() != [reward.stem]:
        raise HandlerError(
            "Lambda can't import a module with a dot in its name, or name one with a space",
            where=str(reward),
            hint=f"rename the file, for example {'_'.join(reward.stem.split()).replace('.', '_')}"
            ".py",
        )
    if module not in ("", reward.stem):
        raise HandlerError(
            "the handler names another module than the reward",
            where=str(reward),
            expected=f"{reward.stem}.{function} or {function}",
            found=handler,
            hint="a reward of several modules is given as a folder",
        )
    return f"{reward.stem}.{function}"


def _in_folder(root: Path, *, out: Path | None) -> tuple[list[Member], list[str]]:
    members: list[Member] = []
    left_out: list[str] = []
    for folder, folders, files in os.walk(root, onerror=_refuse_unreadable):
        here = Path(folder)
        for name in list(folders):
            path = here / name
            if name in LEFT_OUT_FOLDERS:
                left_out.append(f"{path.relative_to(root).as_posix()}/")
                folders.remove(name)
            elif path.is_symlink():
                raise _refused(path, "a link to a folder can't go into the package", "a folder")
        for name in files:
            path = here / name
            inside = path.relative_to(root).as_posix()
            if _left_out(path, out=out):
                left_out.append(inside)
            else:
                _refuse_link_out(path, root)
                members.append(_member(path, inside))
    return sorted(members, key=lambda member: member.name), sorted(left_out)


def _left_out(path: Path, *, out: Path | None) -> bool:
    return (
        path.name in LEFT_OUT_FILES
        or path.suffix in LEFT_OUT_SUFFIXES
        or (not path.is_symlink() and path == out)
    )


def _refuse_link_out(path: Path, root: Path) -> None:
    if path.is_symlink() and not path.resolve().is_relative_to(root):
        raise _refused(path, "the link leads out of the reward's folder", "a file in the folder")


def _refuse_unreadable(error: OSError) -> None:
    raise _refused(Path(error.filename), "the folder can't be read", "a readable folder") from error


def _refused(path: Path, what: str, expected: str) -> PackageError:
    found = str(path.readlink()) if path.is_symlink() else None
    hint = "copy what the reward needs into its folder, and remove the rest"
    return PackageError(what, where=str(path), expected=expected, found=found, hint=hint)


def _member(path: Path, name: str) -> Member:
    try:
        with reading(path):
            status = path.stat()
        name.encode()
    except UnicodeEncodeError as error:
        raise _refused(path, "the file's name is not UTF-8", "a name in UTF-8") from error
    if not stat.S_ISREG(status.st_mode):
        raise _refused(path, "neither a file nor a folder", "a file")
    return Member(name, path, status.st_size, bool(status.st_mode & stat.S_IXUSR))


def reading(path: Path) -> AbstractContextManager[None]:
    """Name a file of the reward that can't be read."""
    hint = "make it readable, or move it out of the reward's folder"
    return named_errors(path, "read the file", kind=PackageError, hint=hint)


def too_large(reward: Path, size: int, limit: int, state: str) -> PackageError:
    """Return the error of a package over one of Lambda's quotas, in bytes."""
    return PackageError(
        "the package is larger than Lambda accepts",
        where=str(reward),
        expected=f"at most {limit // 2**20} MB {state} ({QUOTAS})",
        found=f"{size / 2**20:.1f} MB",
        hint="leave out boto3, which Lambda has, and data that the reward does not read",
    )


def unpack(archive: Path, root: Path) -> None:
    """Unpack a zip into `root`, which it makes.

    Raises:
        HandlerError: it is damaged, leads out of its folder or is larger than Lambda accepts.
    """
    try:
        root.mkdir()
        with zipfile.ZipFile(archive) as opened:
            _refuse_unsafe(opened, archive)
            opened.extractall(root)
    except HandlerError:
        raise
    except DAMAGED as error:
        raise HandlerError(
            "the zip can't be unpacked",
            where=str(archive),
            found=f"{type(error).__name__}: {error}",
            hint="make it again, for example with rft package",
        ) from error


def _refuse_unsafe(opened: zipfile.ZipFile, archive: Path) -> None:
    for member in opened.infolist():
        path = PurePosixPath(member.filename.replace("\\", "/"))
        is_link = stat.S_ISLNK(member.external_attr >> 16)
        if path.is_absolute() or ".." in path.parts or is_link:
            raise HandlerError(
                "the zip holds a path that leads out of it",
                where=str(archive),
                found=repr(member.filename),
            )
    size = sum(member.file_size for member in opened.infolist())
    if size > UNZIPPED_BYTES_MAX:
        raise HandlerError(
            "the zip is larger than Lambda accepts",
            where=str(archive),
            expected=f"at most {UNZIPPED_BYTES_MAX:,} bytes unpacked",
            found=f"{size:,} bytes",
        )
