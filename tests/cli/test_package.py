from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest

from bedrock_rft_sim.cli import main


def test_package_takes_three_lines_and_tells_aws_what_only_with_the_policies(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "reward.zip"
    assert main(["package", "gsm8k", "-o", str(out)]) == 0
    start, written, after = capsys.readouterr().out.splitlines()
    assert "the Python it was started with here" in start
    digest = base64.b64encode(hashlib.sha256(out.read_bytes()).digest()).decode()
    assert written.startswith(f"zip      {out} (")
    assert written.endswith(f"CodeSha256 {digest})")
    assert "--policies DIR" in after
    assert main(["package", "gsm8k", "-o", str(out), "--policies", str(tmp_path / "p")]) == 0
    *_, capitals, command = capsys.readouterr().out.splitlines()
    assert "us-east-1 for Nova and us-west-2 for open weights" in capitals
    assert command.startswith("  aws lambda create-function ")
    assert "lambda:InvokeFunction" in "".join(
        each.read_text() for each in (tmp_path / "p").iterdir()
    )


def test_package_prints_json_for_programs_and_writes_the_policies(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out, folder = tmp_path / "reward.zip", tmp_path / "policies"
    options = ["-o", str(out), "--policies", str(folder), "--timeout", "9", "--memory", "256"]
    assert main(["package", "gsm8k", *options, "--env", "MODE=b=c", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["function"]["timeout_s"] == 9
    assert found["function"]["environment"] == {"MODE": "b=c"}
    assert "--memory-size 256" in found["create_function"]
    for policy in found["policies"]:
        written = json.loads((folder / f"{policy['name']}.json").read_text())
        assert written == policy["document"]


def test_a_reward_that_does_not_start_is_one_message_and_no_zip(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    reward, out = tmp_path / "reward.py", tmp_path / "reward.zip"
    reward.write_text("import numpy\n")
    assert main(["package", str(reward), "-o", str(out)]) == 1
    printed = capsys.readouterr()
    assert "No module named 'numpy'" in printed.err
    assert printed.out == ""
    assert not out.exists()


@pytest.mark.parametrize("reward", ["gsm9k", "./none.py"])
def test_an_unknown_reward_is_a_usage_error(
    reward: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["package", reward, "-o", str(tmp_path / "r.zip")]) == 2
    assert reward in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [["--timeout", "1801"], ["--memory", "64"], ["--timeout", "x"], ["--env", "A"]]
)
def test_what_lambda_would_refuse_is_a_usage_error(options: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["package", "gsm8k", *options])
    assert exit_.value.code == 2


def test_a_zip_that_can_not_be_written_is_one_message(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["package", "gsm8k", "-o", str(tmp_path / "file" / "r.zip")]) == 1
    assert "can't write the zip" in capsys.readouterr().err


def test_policies_that_are_written_take_two_lines(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "policies"
    out = ["-o", str(tmp_path / "reward.zip"), "--policies", str(folder)]
    assert main(["package", "gsm8k", *out]) == 0
    printed = capsys.readouterr().out
    first, second, *_ = printed[printed.index("policies ") :].splitlines()
    assert first.startswith(f"policies {folder}: lambda-trust.json, ")
    assert "nova-service for BEDROCK_SERVICE_ROLE" in second
    assert {path.name for path in folder.iterdir()} == set(first.split(": ")[1].split(", "))
