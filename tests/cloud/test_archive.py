from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.cloud.archive import pack
from bedrock_rft_sim.errors import HandlerError, PackageError

HANDLER = "def lambda_handler(event, context):\n    return []\n"
OUT = Path("reward.zip")


def opened(content: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(content))


def test_the_bytes_of_a_zip_are_these_on_every_machine(write_files: Callable[..., Path]) -> None:
    folder = write_files({"lambda_function.py": HANDLER, "rules/fr.txt": "é\n"})
    (folder / "lambda_function.py").chmod(0o600)
    content = pack(folder, handler="lambda_handler", out=OUT).content
    assert hashlib.sha256(content).hexdigest() == (
        "48dd9aa5dcd21b30cb683316cf3e2a7bc79692117a7c7884741828536059a69b"
    )


def test_dates_permissions_and_the_order_of_writing_do_not_change_the_bytes(
    write_files: Callable[..., Path],
) -> None:
    one = write_files({"a.py": "A = 1\n", "lambda_function.py": HANDLER}, "one")
    other = write_files({"lambda_function.py": HANDLER, "a.py": "A = 1\n"}, "other")
    os.utime(other / "a.py", (1, 1))
    (other / "a.py").chmod(0o664)
    packed = [pack(root, handler="lambda_handler", out=OUT).content for root in (one, other)]
    assert packed[0] == packed[1]


def test_a_single_file_is_alone_in_its_zip_under_its_own_name(tmp_path: Path) -> None:
    reward = tmp_path / "my_reward.py"
    reward.write_text(HANDLER)
    (tmp_path / "rules.py").write_text("")
    archive = pack(reward, handler="lambda_handler", out=OUT)
    assert archive.names == ("my_reward.py",)
    assert archive.handler == "my_reward.lambda_handler"
    assert opened(archive.content).read("my_reward.py").decode() == HANDLER


@pytest.mark.parametrize("handler", ["grade", "my_reward.grade"])
def test_a_single_file_s_handler_is_in_that_file(handler: str, tmp_path: Path) -> None:
    reward = tmp_path / "my_reward.py"
    reward.write_text(HANDLER)
    assert pack(reward, handler=handler, out=OUT).handler == "my_reward.grade"


def test_a_handler_in_another_module_than_the_single_file_is_refused(tmp_path: Path) -> None:
    reward = tmp_path / "my_reward.py"
    reward.write_text(HANDLER)
    with pytest.raises(HandlerError, match="another module"):
        pack(reward, handler="rules.grade", out=OUT)


def test_a_folder_of_one_module_is_handled_by_that_module(write_files: Callable[..., Path]) -> None:
    folder = write_files({"grading.py": HANDLER, "words/a.txt": "a"})
    archive = pack(folder, handler="lambda_handler", out=OUT)
    assert archive.names == ("grading.py", "words/a.txt")
    assert archive.handler == "grading.lambda_handler"


def test_files_may_be_read_by_lambda_and_scripts_may_be_run(
    write_files: Callable[..., Path],
) -> None:
    folder = write_files({"lambda_function.py": HANDLER, "bin/check": "#!/bin/sh\n"})
    (folder / "bin" / "check").chmod(0o700)
    (folder / "lambda_function.py").chmod(0o600)
    entries = opened(pack(folder, handler="lambda_handler", out=OUT).content).infolist()
    assert {entry.filename: oct(entry.external_attr >> 16) for entry in entries} == {
        "bin/check": "0o100755",
        "lambda_function.py": "0o100644",
    }


def test_caches_version_control_and_an_older_zip_are_left_out_and_named(
    write_files: Callable[..., Path],
) -> None:
    folder = write_files(
        {
            "lambda_function.py": HANDLER,
            "__pycache__/x.pyc": "",
            ".git/config": "",
            "rules/__pycache__/y.pyc": "",
            "stray.pyc": "",
            ".pytest_cache/z": "",
            "reward.zip": "the last one",
        }
    )
    archive = pack(folder, handler="lambda_handler", out=folder / "reward.zip")
    assert archive.names == ("lambda_function.py",)
    assert archive.left_out == (
        ".git/",
        ".pytest_cache/",
        "__pycache__/",
        "reward.zip",
        "rules/__pycache__/",
        "stray.pyc",
    )


def test_a_link_inside_the_folder_becomes_a_file(write_files: Callable[..., Path]) -> None:
    folder = write_files({"lambda_function.py": HANDLER})
    (folder / "same.py").symlink_to("lambda_function.py")
    archive = pack(folder, handler="lambda_handler", out=OUT)
    assert opened(archive.content).read("same.py").decode() == HANDLER


def test_a_link_that_leads_out_of_the_folder_is_refused(
    write_files: Callable[..., Path], tmp_path: Path
) -> None:
    folder = write_files({"lambda_function.py": HANDLER})
    (tmp_path / "secret").write_text("secret")
    (folder / "key").symlink_to(tmp_path / "secret")
    with pytest.raises(PackageError, match="leads out"):
        pack(folder, handler="lambda_handler", out=OUT)


def test_a_link_to_a_folder_is_refused(write_files: Callable[..., Path]) -> None:
    folder = write_files({"lambda_function.py": HANDLER, "rules/a.py": ""})
    (folder / "again").symlink_to("rules")
    with pytest.raises(PackageError, match="link to a folder"):
        pack(folder, handler="lambda_handler", out=OUT)


def test_what_is_neither_file_nor_folder_is_refused(write_files: Callable[..., Path]) -> None:
    folder = write_files({"lambda_function.py": HANDLER})
    os.mkfifo(folder / "pipe")
    with pytest.raises(PackageError, match="neither a file nor a folder"):
        pack(folder, handler="lambda_handler", out=OUT)


def test_a_broken_link_is_one_error_that_names_it(write_files: Callable[..., Path]) -> None:
    folder = write_files({"lambda_function.py": HANDLER})
    (folder / "gone.py").symlink_to("nowhere.py")
    with pytest.raises(PackageError, match=r"gone\.py: can't read the file"):
        pack(folder, handler="lambda_handler", out=OUT)


@pytest.mark.parametrize(
    ("size_mb", "limit"), [(51, "50 MB as a zip, for a direct upload"), (251, "250 MB unzipped")]
)
def test_a_package_over_a_quota_is_refused_with_the_quota_s_source(
    size_mb: int, limit: str, write_files: Callable[..., Path]
) -> None:
    folder = write_files({"lambda_function.py": HANDLER, "model.bin": ""})
    os.truncate(folder / "model.bin", size_mb * 2**20)  # sparse: takes no room
    with pytest.raises(PackageError) as error:
        pack(folder, handler="lambda_handler", out=OUT)
    assert limit in str(error.value)
    assert "AWS Lambda developer guide, quotas" in str(error.value)


def test_the_size_that_is_checked_is_the_size_of_the_zip(
    write_files: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_files({"lambda_function.py": HANDLER, "wörter/ä.txt": "ä" * 100})
    size = len(pack(folder, handler="lambda_handler", out=OUT).content)
    end_of_directory = 22
    monkeypatch.setattr("bedrock_rft_sim.cloud.archive.ZIPPED_BYTES_MAX", size - end_of_directory)
    pack(folder, handler="lambda_handler", out=OUT)
    monkeypatch.setattr(
        "bedrock_rft_sim.cloud.archive.ZIPPED_BYTES_MAX", size - end_of_directory - 1
    )
    with pytest.raises(PackageError):
        pack(folder, handler="lambda_handler", out=OUT)


def test_a_zip_is_not_zipped_again(tmp_path: Path) -> None:
    reward = tmp_path / "reward.zip"
    reward.write_bytes(b"PK")
    with pytest.raises(PackageError, match="zip already"):
        pack(reward, handler="lambda_handler", out=OUT)


def test_what_is_not_there_is_the_grader_s_own_error(tmp_path: Path) -> None:
    with pytest.raises(HandlerError, match="there is no reward"):
        pack(tmp_path / "none.py", handler="lambda_handler", out=OUT)


@given(st.dictionaries(st.text("abcé._-", min_size=1).map(lambda n: f"f{n}.txt"), st.binary()))
def test_what_goes_in_comes_out(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("reward")
    for name, content in {**files, "lambda_function.py": HANDLER.encode()}.items():
        (folder / name).write_bytes(content)
    archive = opened(pack(folder, handler="lambda_handler", out=OUT).content)
    assert {name: archive.read(name) for name in archive.namelist()} == {
        **files,
        "lambda_function.py": HANDLER.encode(),
    }
