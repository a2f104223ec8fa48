"""What a run was made from: versions, revision and hashes, so that two runs can be told apart."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

from bedrock_rft_sim import __version__

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


@cache
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
    is_changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{revision}+" if is_changed else revision


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
