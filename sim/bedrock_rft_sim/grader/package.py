"""Turn a reward (a .py file, a folder or a .zip) into a task root and a handler name.

A .py file's task root is its own folder, so that siblings can be imported; on Lambda they must be
in the package too.
Where the handler's name has no module, it is the file's own, or `lambda_function` (what the Lambda
console creates) in a folder or a zip.

Source: AWS Lambda developer guide, "Working with .zip file archives" and quotas.
"""

from __future__ import annotations

import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bedrock_rft_sim.errors import HandlerError

UNZIPPED_BYTES_MAX = 250 * 1024 * 1024
DEFAULT_MODULE = "lambda_function"
FORMS = "a .py file, a folder or a .zip with a Lambda handler"


@dataclass(frozen=True)
class Package:
    """What Lambda would be given: a folder of code and `module.function`."""

    root: Path
    handler: str


def open_package(reward: Path, *, handler: str, scratch: Path) -> Package:
    """Find the code; a zip is unpacked into `scratch`."""
    reward = reward.resolve()
    if reward.is_dir():
        return Package(reward, _in_folder(reward, handler))
    if reward.is_file() and reward.suffix == ".py":
        return Package(reward.parent, _in_file(reward, handler))
    if reward.is_file() and reward.suffix == ".zip":
        root = _unzip(reward, scratch)
        return Package(root, _in_folder(root, handler))
    found = f"a {reward.suffix or 'plain'} file" if reward.exists() else "nothing of that name"
    raise HandlerError("there is no reward", where=str(reward), expected=FORMS, found=found)


def _in_file(reward: Path, handler: str) -> str:
    if "." in handler:
        return handler
    if "." in reward.stem:
        raise HandlerError(
            "Python can't import a module with a dot in its name",
            where=str(reward),
            hint=f"rename the file, for example {reward.stem.replace('.', '_')}.py",
        )
    return f"{reward.stem}.{handler}"


def _in_folder(root: Path, handler: str) -> str:
    if "." in handler:
        return handler
    modules = sorted(path.stem for path in root.glob("*.py"))
    if DEFAULT_MODULE not in modules and len(modules) == 1:
        return f"{modules[0]}.{handler}"
    return f"{DEFAULT_MODULE}.{handler}"


def _unzip(archive: Path, scratch: Path) -> Path:
    root = scratch / "task"
    try:
        with zipfile.ZipFile(archive) as opened:
            _refuse_unsafe(opened, archive)
            opened.extractall(root)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise HandlerError(
            "the zip can't be unpacked", where=str(archive), found=str(error)
        ) from error
    return root


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
