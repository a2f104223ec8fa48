"""Runs by folder, by name and by `latest`."""

from __future__ import annotations

from pathlib import Path

import pytest

from bedrock_rft_sim.errors import RunFolderError
from bedrock_rft_sim.runs import RunFolder, find_run, or_under_runs


@pytest.fixture
def two_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("first", "second"):
        RunFolder.create(tmp_path / "runs", name).close()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_is_found_by_folder_by_name_and_as_the_latest(
    two_runs: Path,
) -> None:
    assert find_run(str(two_runs / "runs" / "first")).name == "first"
    assert find_run("first").name == "first"
    assert find_run("runs/first").name == "first"
    assert find_run("latest").name == "second"
    with pytest.raises(RunFolderError, match="found: under runs/: first, second"):
        find_run("third")
    with pytest.raises(RunFolderError, match="there is no run here"):
        find_run("runs/third")


def test_a_bare_name_means_the_run_under_runs_unless_something_here_has_it(two_runs: Path) -> None:
    assert or_under_runs("first") == Path("runs/first")
    assert or_under_runs("elsewhere") == Path("elsewhere")
    (two_runs / "first").mkdir()
    assert or_under_runs("first") == Path("first")
