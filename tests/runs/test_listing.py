"""Runs as a list shows them, how one is removed, and what two were given differently."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.errors import RunFolderError
from bedrock_rft_sim.recipe import load_recipe
from bedrock_rft_sim.runs import Run, RunFolder, find_run
from bedrock_rft_sim.runs.folder import remove_run
from bedrock_rft_sim.runs.listing import differing, list_runs
from tests.run_folders import metric_line, write_run

STARTED = "2026-11-2{}T03:00:00+00:00"


def write(parent: Path, name: str, *, day: int = 1, reward: float = 0.5, **more) -> None:
    lines = [metric_line(step, 2, reward=reward * step) for step in (1, 2)]
    write_run(parent, name, lines=lines, steps={"total": 2}, started=STARTED.format(day), **more)


def test_the_run_started_last_is_listed_first_with_its_numbers(tmp_path: Path) -> None:
    write(tmp_path, "old", day=1)
    write(tmp_path, "new", day=2, reward=0.25)
    new, old = list_runs(tmp_path)
    assert (new.name, old.name) == ("new", "old")
    assert (new.status, new.model, new.step, new.total_steps) == ("Completed", "tiny", 2, 2)
    assert (new.reward_first, new.reward_last) == (0.25, 0.5)
    assert new.bytes > 100
    later = datetime.datetime.fromisoformat(STARTED.format(3))
    assert new.age_s(later) == 86_400


def test_a_damaged_run_hides_no_neighbour_and_a_killed_one_is_named_so(tmp_path: Path) -> None:
    write(tmp_path, "good")
    write(tmp_path, "damaged")
    (tmp_path / "damaged" / "run.json").write_text("{")
    with RunFolder.create(tmp_path, "killed"):
        assert {each.name: each.status for each in list_runs(tmp_path)}["killed"] == "InProgress"
    found = {each.name: each for each in list_runs(tmp_path)}
    assert {name: each.status for name, each in found.items()} == {
        "good": "Completed",
        "damaged": "damaged",
        "killed": "killed",
    }
    assert found["damaged"].problem
    assert found["killed"].reward_first is None


def test_a_file_that_goes_while_its_run_is_listed_has_no_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "run")
    gone = tmp_path / "run" / "checkpoint.tmp"
    gone.write_bytes(b"half")
    before = list_runs(tmp_path)[0].bytes
    lstat = Path.lstat

    def goes(path: Path) -> Any:
        if path == gone:
            gone.unlink(missing_ok=True)
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", goes)
    assert list_runs(tmp_path)[0].bytes == before - 4


def test_no_folder_is_no_run(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "nowhere") == []


def test_a_removed_run_leaves_nothing_and_latest_leads_to_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "runs"
    for name in ("first", "second"):
        RunFolder.create(runs, name).close()
    monkeypatch.chdir(tmp_path)
    remove_run(runs / "second")
    assert sorted(path.name for path in runs.iterdir()) == ["first", "latest"]
    assert find_run("latest").name == "first"
    remove_run(runs / "first")
    assert list(runs.iterdir()) == []


def test_a_run_that_is_written_to_or_is_none_is_not_removed(tmp_path: Path) -> None:
    with (
        RunFolder.create(tmp_path, "busy") as run,
        pytest.raises(RunFolderError, match="another process is writing"),
    ):
        remove_run(run.path)
    (tmp_path / "other").mkdir()
    with pytest.raises(RunFolderError, match="there is no run here"):
        remove_run(tmp_path / "other")
    assert {path.name for path in tmp_path.iterdir()} >= {"busy", "other"}


def test_what_two_runs_were_given_differently_is_found_in_all_four_places(tmp_path: Path) -> None:
    knob = "customizationConfig.rftConfig.hyperParameters.learningRate"
    recipes = [
        load_recipe("quickstart", sets=[f"{knob}={rate}", f"local.seed={seed}"])
        for rate, seed in ((1e-4, 0), (2e-4, 1))
    ]
    same = {"data": {"records": 4}, "git_revision": "abc"}
    write(tmp_path, "a", recipe=recipes[0], data_hash="1", reward_hash="1",
          versions={"torch": "2.13", "trl": "1"},
          device={"type": "cpu", "free_bytes": 1}, **same)  # fmt: skip
    write(tmp_path, "b", recipe=recipes[1], data_hash="2", reward_hash="2",
          versions={"torch": "2.14", "trl": "1"},
          device={"type": "cpu", "free_bytes": 2}, **same)  # fmt: skip
    a, b = (Run.open(tmp_path / name) for name in "ab")
    found = {(each.of, each.name): (each.a, each.b) for each in differing(a, b)}
    assert found == {
        ("recipe", "learning_rate"): (1e-4, 2e-4),
        ("recipe", "seed"): (0, 1),
        ("data", "data_hash"): ("1", "2"),
        ("reward", "reward_hash"): ("1", "2"),
        ("versions", "versions.torch"): ("2.13", "2.14"),
    }
    assert differing(a, a) == []
