"""Which rewards look as if they asked a model on Bedrock."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from bedrock_rft_sim.estimate import judge
from bedrock_rft_sim.estimate.judge import asks_a_judge
from bedrock_rft_sim.recipe.shipped import find_reward

CALLS = "client.converse(modelId=model)\n"


def zipped(folder: Path, **members: str) -> Path:
    path = folder / "r.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/") + ".py", text)
    return path


def test_of_the_shipped_rewards_only_the_judge_asks() -> None:
    assert asks_a_judge(find_reward("llm_judge")) is True
    assert asks_a_judge(find_reward("gsm8k")) is False


def test_a_folder_is_looked_through(tmp_path: Path) -> None:
    (tmp_path / "lambda_function.py").write_text("from inner import ask\n")
    assert asks_a_judge(tmp_path) is False
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "ask.py").write_text(CALLS)
    assert asks_a_judge(tmp_path) is True


def test_a_zip_is_looked_through(tmp_path: Path) -> None:
    assert asks_a_judge(zipped(tmp_path, lambda_function="x = 1\n")) is False
    assert asks_a_judge(zipped(tmp_path, lambda_function="x = 1\n", inner__ask=CALLS)) is True


def test_a_packed_boto3_is_no_judge(tmp_path: Path) -> None:
    members = {"lambda_function": "x = 1\n", "botocore__handlers": "'bedrock-runtime'\n"}
    assert asks_a_judge(zipped(tmp_path, **members)) is False


@pytest.mark.parametrize("content", [b"", b"no archive at all"])
def test_what_is_no_archive_is_unknown(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "r.zip"
    path.write_bytes(content)
    assert asks_a_judge(path) is None


def test_an_archive_without_python_or_with_too_much_of_it_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asks_a_judge(zipped(tmp_path)) is None
    monkeypatch.setattr(judge, "TEXT_BYTES_MAX", 10)
    assert asks_a_judge(zipped(tmp_path, lambda_function=CALLS)) is None
