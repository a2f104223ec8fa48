"""What a run was made from: versions, revision and hashes, so that two runs can be told apart."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from sim import __version__
from sim.dataset import Row

PACKAGES = (
    "torch",
    "trl",
    "transformers",
    "peft",
    "accelerate",
    "datasets",
    "tokenizers",
    "botocore",
    "awslambdaric",
)
GIT_SECONDS = 5


def package_versions() -> dict[str, str | None]:
    """Return the version of every package that can change a number; None where it is absent."""
    versions: dict[str, str | None] = {
        "bedrock-rft-sim": __version__,
        "python": platform.python_version(),
    }
    return {**versions, **{name: _version(name) for name in PACKAGES}}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def git_revision(folder: Path) -> str | None:
    """Return the commit of the repository around `folder`, with `+` for uncommitted changes."""
    revision = _git(folder, "rev-parse", "HEAD")
    if not revision:
        return None
    return (
        f"{revision}+"
        if _git(folder, "status", "--porcelain", "--untracked-files=no")
        else revision
    )


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],  # noqa: S607  the user's own git
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def rows_hash(rows: Iterable[Row]) -> str:
    """Return the SHA-256 of the rows in order, whatever file they came from."""
    digest = hashlib.sha256()
    for row in rows:
        content = [row.id, list(row.messages), row.reference_answer, row.extra]
        digest.update(json.dumps(content, sort_keys=True, ensure_ascii=False).encode())
    return digest.hexdigest()


def path_hash(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's files with their names."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        digest.update(file.relative_to(path).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
