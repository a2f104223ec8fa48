"""A file is replaced whole or not at all, a lock ends with its holder, and errors name the file."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from bedrock_rft_sim import files
from bedrock_rft_sim.errors import DataError, RecipeError, RunFolderError


def test_a_block_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("old")

    def interrupted() -> None:
        with files.replacing(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_replaced_with_the_mode_of_a_new_one(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "secret"
    files.replace_file(path, b"1", mode=0o600, durable=durable)
    files.replace_file(path, b"2", mode=0o600, durable=durable)
    assert path.read_bytes() == b"2"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_text_is_written_as_utf_8_below_folders_that_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "text"
    with pytest.raises(RunFolderError, match="can't write the text"):
        files.write_file(path, "ß", "write the text")
    files.write_file(path, "ß", "write the text", parents=True)
    assert path.read_bytes() == "ß".encode()


def test_an_error_is_of_the_kind_that_the_caller_names(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(DataError) as caught:
        files.write_file(path / "below", "", "write the data", kind=DataError, hint="try -o")
    assert (caught.value.where, caught.value.what) == (str(path / "below"), "can't write the data")
    assert (caught.value.found, caught.value.hint) == (os.strerror(errno.ENOTDIR), "try -o")


def test_only_a_run_folder_is_told_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="--resume"), files.named_errors(tmp_path, "read it"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    with (
        pytest.raises(RecipeError) as caught,
        files.named_errors(tmp_path, "read it", kind=RecipeError),
    ):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    assert caught.value.hint is None


def test_an_error_of_ours_passes_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="mine"), files.named_errors(tmp_path, "read it"):
        raise RunFolderError("mine")


def test_a_lock_is_held_until_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not files.is_held(path)
    assert not path.exists()
    lock = files.Lock(path)
    assert files.is_held(path)
    with pytest.raises(files.BUSY):
        files.Lock(path)
    lock.release()
    lock.release()
    assert not files.is_held(path)


def test_lines_that_are_not_kept_go(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    assert files.keep_lines(path, lambda _value: True) == []
    for step in range(3):
        files.append_line(path, files.dump({"step": step}))
    assert files.keep_lines(path, lambda value: value["step"] != 1) == [{"step": 0}, {"step": 2}]
    assert files.read_json_lines(path) == [{"step": 0}, {"step": 2}]
