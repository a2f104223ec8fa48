from __future__ import annotations

import os
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the disk: no test here cuts the power, and records are written hundreds of times."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def write_files(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a reward's folder and gives its path."""

    def write(files: dict[str, str], name: str = "reward") -> Path:
        root = tmp_path / name
        for inside, source in files.items():
            path = root / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source))
        return root

    return write
