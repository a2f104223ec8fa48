"""Whether a reward looks as if it calls a judge model on Bedrock, judged by its text.

Nothing is run or unpacked. What the reward imports from outside its own file, folder or archive is
not looked at.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

MARKS = ("bedrock-runtime", "invoke_model", ".converse(")
"""What a reward that asks a judge model on Bedrock says somewhere."""
VENDORED = frozenset({"boto3", "botocore"})
"""Packages that name the service whether or not the reward calls it."""
TEXT_BYTES_MAX = 20 * 1024 * 1024
"""Of Python in an archive; a larger one is not looked through."""


def asks_a_judge(reward: Path) -> bool | None:
    """Whether the reward's Python calls a model on Bedrock; None where it can't be looked at."""
    try:
        texts = list(_texts(reward))
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return None  # rft check and the run itself say what is wrong with it
    return any(mark in text for text in texts for mark in MARKS) if texts else None


def _texts(reward: Path) -> Iterator[str]:
    """Yield the text of every Python file; an archive that is too large has none."""
    if reward.suffix == ".zip" and reward.is_file():
        with zipfile.ZipFile(reward) as archive:
            members = [m for m in archive.infolist() if _is_own(PurePosixPath(m.filename))]
            if sum(member.file_size for member in members) > TEXT_BYTES_MAX:
                return
            for member in members:
                yield archive.read(member).decode(errors="replace")
        return
    for file in sorted(reward.rglob("*.py")) if reward.is_dir() else [reward]:
        if reward.is_file() or _is_own(PurePosixPath(file.relative_to(reward).as_posix())):
            yield file.read_text(encoding="utf-8", errors="replace")


def _is_own(path: PurePosixPath) -> bool:
    return path.suffix == ".py" and not VENDORED & set(path.parts)
