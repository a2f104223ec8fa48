"""A second sweep on a folder shares its points, or is refused where the disk has no locks."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedrock_rft_sim import files
from bedrock_rft_sim.errors import RunFolderError
from bedrock_rft_sim.sweep import presence
from bedrock_rft_sim.sweep.presence import SWEEPS, present


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sweeps touch their files often."""
    monkeypatch.setattr(presence, "TOUCH_S", 0.02)
    monkeypatch.setattr(presence, "PATIENCE_S", 0.5)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """Give the file of a sweep on another machine, which is alive, and whose lock is free here."""
    path = tmp_path / SWEEPS / "1-ab@elsewhere"
    path.parent.mkdir()
    path.touch()
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(0.02):
            os.utime(path)

    thread = threading.Thread(target=beat)
    thread.start()
    yield path
    ended.set()
    thread.join()


def at_work(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / SWEEPS).iterdir())


def test_sweeps_that_see_each_others_locks_work_side_by_side(tmp_path: Path) -> None:
    with present(tmp_path, print), present(tmp_path, print), present(tmp_path, print):
        assert len(at_work(tmp_path)) == 3
    assert at_work(tmp_path) == []


def test_a_living_sweep_whose_lock_is_free_here_refuses_another(
    tmp_path: Path, elsewhere: Path
) -> None:
    with (
        pytest.raises(RunFolderError, match="this disk does not show its locks") as raised,
        present(tmp_path, print),
    ):
        raise AssertionError
    assert "a sweep on elsewhere" in str(raised.value)
    assert "--out" in str(raised.value)
    assert at_work(tmp_path) == [elsewhere]


def test_on_a_disk_without_locks_one_sweep_works_and_a_second_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(_descriptor: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files, "_lock", no_locks)
    with present(tmp_path, print):
        with (
            pytest.raises(RunFolderError, match="does not show its locks"),
            present(tmp_path, print),
        ):
            raise AssertionError
        assert len(at_work(tmp_path)) == 1
    with present(tmp_path, print):
        pass


def test_a_dead_sweep_of_another_machine_is_waited_for_with_a_word_and_forgotten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dead = tmp_path / SWEEPS / "1-ab@elsewhere"
    dead.parent.mkdir()
    dead.touch()
    with present(tmp_path, print):
        assert dead not in at_work(tmp_path)
    assert capsys.readouterr().out == "looking for 0.5 s whether a sweep that was here is alive\n"


def test_a_dead_sweep_of_this_machine_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = tmp_path / SWEEPS / f"1-ab@{presence._machine()}"
    dead.parent.mkdir()
    dead.touch()
    monkeypatch.setattr(time, "sleep", lambda _seconds: pytest.fail("it waits"))
    with present(tmp_path, print):
        assert dead not in at_work(tmp_path)
