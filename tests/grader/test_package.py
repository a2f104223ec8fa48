from __future__ import annotations

import stat
import zipfile

import pytest

from bedrock_rft_sim.errors import HandlerError, PackageError
from bedrock_rft_sim.grader import package
from bedrock_rft_sim.grader.package import open_package

CODE = (
    'def lambda_handler(e, c): return [{"id": s["id"], "aggregate_reward_score": 1} for s in e]\n'
)


def make_zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def opened(reward, tmp_path, handler="lambda_handler"):
    tmp_path.mkdir(exist_ok=True)
    return open_package(reward, handler=handler, scratch=tmp_path)


def test_a_file_is_alone_in_a_folder_of_its_own(write_reward, tmp_path):
    reward = write_reward(CODE, "maths.py")
    write_reward("", "beside.py")
    found = opened(reward, tmp_path)
    assert [path.name for path in found.root.iterdir()] == ["maths.py"]
    assert (found.root, found.handler) == (tmp_path / "task", "maths.lambda_handler")


@pytest.mark.parametrize(
    ("files", "handler", "expected"),
    [
        (["lambda_function.py", "helper.py"], "lambda_handler", "lambda_function.lambda_handler"),
        (["grade.py"], "lambda_handler", "grade.lambda_handler"),
        (["a.py", "b.py"], "lambda_handler", "lambda_function.lambda_handler"),
        (["a.py", "b.py"], "b.main", "b.main"),
    ],
)
@pytest.mark.parametrize("form", ["folder", "zip"])
def test_a_folder_and_a_zip_name_the_handler_alike(tmp_path, files, handler, expected, form):
    if form == "zip":
        reward = make_zip(tmp_path / "reward.zip", dict.fromkeys(files, CODE))
    else:
        reward = tmp_path / "reward"
        reward.mkdir()
        for name in files:
            (reward / name).write_text(CODE)
    found = opened(reward, tmp_path, handler)
    assert found.handler == expected
    assert sorted(path.name for path in found.root.iterdir()) == sorted(files)


def test_a_handler_in_a_zip_grades(deploy, samples, tmp_path):
    reward = make_zip(tmp_path / "reward.zip", {"lambda_function.py": "from lib.a import *"})
    with zipfile.ZipFile(reward, "a") as archive:
        archive.writestr("lib/__init__.py", "")
        archive.writestr("lib/a.py", CODE)
    assert deploy(reward).grade(samples(1)).grades[0].score == 1.0


def test_another_function_can_be_the_handler(deploy, samples, write_reward):
    reward = write_reward(CODE.replace("lambda_handler", "grade"))
    assert deploy(reward, handler="grade").grade(samples(1)).grades[0].score == 1.0
    assert deploy(reward, handler="reward.grade").grade(samples(1)).grades[0].score == 1.0


@pytest.mark.parametrize(
    ("name", "found"), [("gone.py", "nothing of that name"), ("reward.txt", "a .txt file")]
)
def test_a_missing_reward_says_what_one_looks_like(tmp_path, name, found):
    (tmp_path / "reward.txt").write_text("")
    with pytest.raises(HandlerError, match="there is no reward") as caught:
        opened(tmp_path / name, tmp_path)
    assert caught.value.expected == "a .py file, a folder or a .zip with a Lambda handler"
    assert caught.value.found == found


def test_a_file_whose_name_can_not_be_imported_is_told_how_to_rename(write_reward, tmp_path):
    with pytest.raises(HandlerError, match="dot in its name") as caught:
        opened(write_reward(CODE, "reward.v2.py"), tmp_path)
    assert "reward_v2.py" in caught.value.hint


@pytest.mark.parametrize("name", ["../evil.py", "/evil.py", "a/../../evil.py", "..\\evil.py"])
def test_a_zip_that_leads_out_of_its_folder_is_refused(tmp_path, name):
    reward = make_zip(tmp_path / "reward.zip", {name: CODE})
    with pytest.raises(HandlerError, match="leads out of it"):
        opened(reward, tmp_path / "scratch")
    assert not (tmp_path / "evil.py").exists()


def test_a_zip_with_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("secrets")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "reward.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(HandlerError, match="leads out of it"):
        opened(tmp_path / "reward.zip", tmp_path / "scratch")


def test_a_zip_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(package, "UNZIPPED_BYTES_MAX", 10)
    reward = make_zip(tmp_path / "reward.zip", {"lambda_function.py": CODE})
    with pytest.raises(HandlerError, match="larger than Lambda accepts"):
        opened(reward, tmp_path)


def test_a_zip_that_is_none_is_refused(tmp_path):
    (tmp_path / "reward.zip").write_text("not a zip")
    with pytest.raises(HandlerError, match="can't be unpacked"):
        opened(tmp_path / "reward.zip", tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2] + b"\xff" * 40 + data[len(data) // 2 + 40 :],
        lambda data: data[:-30],
        lambda data: data.replace(b"lambda_function.py", b"lambda_function.py/a"[:18]),
    ],
)
def test_a_damaged_zip_is_one_message(tmp_path, damage):
    path = tmp_path / "reward.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("lambda_function.py", CODE * 50)
        archive.writestr("lambda_function.py/a", "")  # a file and a folder of one name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(HandlerError, match="can't be unpacked"):
        opened(path, tmp_path / "scratch")


def test_a_file_with_a_space_in_its_name_is_told_how_to_rename(write_reward, tmp_path):
    with pytest.raises(HandlerError, match="with a space") as caught:
        opened(write_reward(CODE, "my reward.py"), tmp_path)
    assert "my_reward.py" in caught.value.hint


def test_a_folder_is_copied_without_caches_and_a_link_out_of_it_is_refused(tmp_path):
    reward = tmp_path / "reward"
    (reward / "__pycache__").mkdir(parents=True)
    (reward / "lambda_function.py").write_text(CODE)
    (reward / "run").write_text("#!/bin/sh\n")
    (reward / "run").chmod(0o755)
    root = opened(reward, tmp_path / "one").root
    assert sorted(path.name for path in root.iterdir()) == ["lambda_function.py", "run"]
    assert (root / "run").stat().st_mode & 0o777 == 0o755
    (reward / "secret").symlink_to("/etc/passwd")
    with pytest.raises(PackageError, match="leads out of the reward's folder"):
        opened(reward, tmp_path / "two")
