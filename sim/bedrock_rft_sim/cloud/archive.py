"""A reward as the zip that Lambda takes: the same bytes from the same files, every time.

Guaranteed on every machine and every Python: entries sorted by name, the date 1980-01-01, Unix
permissions 0644 (0755 where the file may be executed), and no compression, because two builds of
zlib may compress the same file to different bytes.
It installs nothing: packages that a reward needs must lie in its folder.

Sources: AWS Lambda developer guide, "Working with .zip file archives" and quotas (50 MB zipped for
a direct upload, 250 MB unzipped).
"""

from __future__ import annotations

import io
import os
import stat
import tempfile
import zipfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bedrock_rft_sim.errors import PackageError
from bedrock_rft_sim.files import named_errors
from bedrock_rft_sim.grader.package import DEFAULT_MODULE, UNZIPPED_BYTES_MAX, open_package

ZIPPED_BYTES_MAX = 50 * 1024 * 1024
"""Of a direct upload; larger packages go through S3."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date a zip can hold."""
UNIX = 3
LEFT_OUT_FOLDERS = frozenset(
    {".git", ".hg", ".svn", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache",
     ".hypothesis", ".tox", ".nox", ".venv"}
)  # fmt: skip
LEFT_OUT_FILES = frozenset({".DS_Store", "Thumbs.db"})
LEFT_OUT_SUFFIXES = frozenset({".pyc", ".pyo"})
QUOTAS = "AWS Lambda developer guide, quotas"


@dataclass(frozen=True)
class Archive:
    """The zip in memory, and what is in it."""

    content: bytes
    handler: str
    """`module.function`, as Lambda wants it."""
    names: tuple[str, ...]
    left_out: tuple[str, ...]
    """Caches and version control, relative to the folder; a folder ends in a slash."""
    unzipped_bytes: int


@dataclass(frozen=True)
class _Member:
    name: str
    source: Path
    size: int
    executable: bool


def pack(reward: Path, *, handler: str, out: Path) -> Archive:
    """Return the zip of a .py file or a folder; `out`, where it will lie, is never packed itself.

    Raises:
        PackageError: a file can't go into the zip, or the zip is over one of Lambda's quotas.
        HandlerError: there is no reward.
    """
    reward = reward.resolve()
    if reward.suffix == ".zip" and reward.is_file():
        raise PackageError(
            "the reward is a zip already",
            where=str(reward),
            expected="a .py file or a folder",
            hint="unzip it and give the folder, so that the same bytes come out every time",
        )
    with tempfile.TemporaryDirectory(prefix="reward-") as scratch:
        package = open_package(reward, handler=handler, scratch=Path(scratch))
    if reward.is_dir():
        members, left_out = _in_folder(package.root, out=out.resolve())
        entry = package.handler
    else:
        members, left_out = [_member(reward, f"{DEFAULT_MODULE}.py")], []
        entry = _of_single_file(reward, package.handler)
    unzipped = _within_quotas(members, reward)
    return Archive(
        content=_zipped(members),
        handler=entry,
        names=tuple(member.name for member in members),
        left_out=tuple(left_out),
        unzipped_bytes=unzipped,
    )


def _of_single_file(reward: Path, handler: str) -> str:
    """Return the handler's name once the file is called lambda_function.py."""
    module, _, function = handler.rpartition(".")
    if module not in (reward.stem, DEFAULT_MODULE):
        raise PackageError(
            "the handler names another module than the reward",
            where=str(reward),
            expected=f"{reward.stem}.{function} or {function}",
            found=handler,
            hint="a reward of several modules is packaged as a folder",
        )
    return f"{DEFAULT_MODULE}.{function}"


def _in_folder(root: Path, *, out: Path) -> tuple[list[_Member], list[str]]:
    members: list[_Member] = []
    left_out: list[str] = []
    for folder, folders, files in os.walk(root, onerror=_refuse_unreadable):
        here = Path(folder)
        for name in list(folders):
            path = here / name
            if name in LEFT_OUT_FOLDERS:
                left_out.append(f"{path.relative_to(root).as_posix()}/")
                folders.remove(name)
            elif path.is_symlink():
                raise _refused(path, "a link to a folder can't go into the zip", "a folder")
        for name in files:
            path = here / name
            inside = path.relative_to(root).as_posix()
            if _left_out(path, out=out):
                left_out.append(inside)
            else:
                _refuse_link_out(path, root)
                members.append(_member(path, inside))
    return sorted(members, key=lambda member: member.name), sorted(left_out)


def _left_out(path: Path, *, out: Path) -> bool:
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


def _member(path: Path, name: str) -> _Member:
    try:
        with _reading(path):
            status = path.stat()
        name.encode()
    except UnicodeEncodeError as error:
        raise _refused(path, "the file's name is not UTF-8", "a name in UTF-8") from error
    if not stat.S_ISREG(status.st_mode):
        raise _refused(path, "neither a file nor a folder", "a file")
    return _Member(name, path, status.st_size, bool(status.st_mode & stat.S_IXUSR))


def _reading(path: Path) -> AbstractContextManager[None]:
    hint = "make it readable, or move it out of the reward's folder"
    return named_errors(path, "read the file", kind=PackageError, hint=hint)


def _within_quotas(members: list[_Member], reward: Path) -> int:
    unzipped = sum(member.size for member in members)
    if unzipped > UNZIPPED_BYTES_MAX:
        raise _too_large(reward, unzipped, UNZIPPED_BYTES_MAX, "unzipped")
    # Beside its content an entry costs its header, and its line in the directory.
    zipped = unzipped + sum(30 + 46 + 2 * len(member.name.encode()) for member in members)
    if zipped > ZIPPED_BYTES_MAX:
        raise _too_large(reward, zipped, ZIPPED_BYTES_MAX, "as a zip, for a direct upload")
    return unzipped


def _too_large(reward: Path, size: int, limit: int, state: str) -> PackageError:
    return PackageError(
        "the package is larger than Lambda accepts",
        where=str(reward),
        expected=f"at most {limit // 2**20} MB {state} ({QUOTAS})",
        found=f"{size / 2**20:.1f} MB",
        hint="leave out boto3, which Lambda has, and data that the reward does not read",
    )


def _zipped(members: list[_Member]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as opened:
        for member in members:
            entry = zipfile.ZipInfo(member.name, date_time=EPOCH)
            entry.create_system = UNIX
            permissions = 0o755 if member.executable else 0o644
            entry.external_attr = (stat.S_IFREG | permissions) << 16
            with _reading(member.source):
                content = member.source.read_bytes()
            opened.writestr(entry, content)
    return buffer.getvalue()
