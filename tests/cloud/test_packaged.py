from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.cloud import function as lambda_function
from bedrock_rft_sim.cloud.function import LambdaFunction, function_name, runtime_of_this_python
from bedrock_rft_sim.cloud.packaged import Packaged, package
from bedrock_rft_sim.cloud.policies import policies
from bedrock_rft_sim.errors import HandlerError
from bedrock_rft_sim.grader import Grader
from bedrock_rft_sim.grader.reward import RewardFile
from bedrock_rft_sim.grader.samples import Sample
from bedrock_rft_sim.recipe import find_reward

FUNCTION = LambdaFunction("reward", "lambda_function.lambda_handler", "python3.11")


def packaged(reward: Path, out: Path, **options: object) -> Packaged:
    settings = {"handler": "lambda_handler", "name": None, "timeout_s": 30, "memory_mb": 256}
    return package(reward, out, **{**settings, "environment": {}, **options})


def test_the_zip_grades_as_the_file_does(tmp_path: Path) -> None:
    reward = find_reward("gsm8k")
    made = packaged(reward, tmp_path / "reward.zip")
    prompt = {"role": "user", "content": "How many?"}
    answers = ["#### 7", "#### 8", "seven", "", "The answer is 7."]
    samples = [
        Sample(f"s{n}", [prompt, {"role": "assistant", "content": text}], "#### 7")
        for n, text in enumerate(answers)
    ]
    from_zip = RewardFile(made.path, handler=made.function.handler)
    with Grader(RewardFile(reward)) as loose, Grader(from_zip) as zipped:
        assert zipped.grade(samples).grades == loose.grade(samples).grades
        assert {grade.score for grade in zipped.grade(samples).grades} == {0.0, 1.0}


def test_a_package_that_cannot_be_imported_is_refused_with_the_import_s_error(
    write_files: Callable[..., Path], tmp_path: Path
) -> None:
    folder = write_files({"reward.py": "import rules\ndef lambda_handler(e, c): return []\n"})
    (folder / "rules.py").write_text("")
    with pytest.raises(HandlerError, match=r"No module named 'rules'.*\n.*\n*.*give the folder"):
        packaged(folder / "reward.py", tmp_path / "reward.zip")
    assert not (tmp_path / "reward.zip").exists()
    (folder / "lambda_function.py").write_text("from reward import lambda_handler\n")
    assert packaged(folder, tmp_path / "reward.zip").path.is_file()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import torch\n", "No module named 'torch'"),
        ("def handler(e, c): return []\n", "lambda_handler"),
        ("def lambda_handler(e, c) return []\n", "SyntaxError"),
        ("raise RuntimeError('no table of units')\n", "no table of units"),
        ("import sys; sys.exit(3)\n", "exit"),
    ],
)
def test_what_fails_at_a_cold_start_is_not_packaged(
    source: str, message: str, write_files: Callable[..., Path], tmp_path: Path
) -> None:
    folder = write_files({"reward.py": source})
    with pytest.raises(HandlerError, match="does not start") as error:
        packaged(folder / "reward.py", tmp_path / "reward.zip")
    assert message in str(error.value)
    assert not (tmp_path / "reward.zip").exists()


def test_a_handler_that_can_not_take_an_empty_event_starts_all_the_same(
    write_files: Callable[..., Path], tmp_path: Path
) -> None:
    folder = write_files({"reward.py": "def lambda_handler(e, c): return e[0]\n"})
    assert packaged(folder / "reward.py", tmp_path / "reward.zip").path.is_file()


def test_variables_of_the_function_are_there_at_import(
    write_files: Callable[..., Path], tmp_path: Path
) -> None:
    source = "import os\nMODEL = os.environ['MODEL']\ndef lambda_handler(e, c): return []\n"
    folder = write_files({"reward.py": source})
    made = packaged(folder / "reward.py", tmp_path / "r.zip", environment={"MODEL": "a, b"})
    assert """--environment '{"Variables": {"MODEL": "a, b"}}'""" in made.create_command


def test_the_command_names_the_zip_the_handler_and_placeholders(tmp_path: Path) -> None:
    made = packaged(find_reward("gsm8k"), tmp_path / "my zip.zip", name="gsm8k reward")
    command = made.create_command
    assert "--function-name gsm8k-reward" in command
    assert "--handler gsm8k.lambda_handler" in command
    assert "arn:aws:iam::ACCOUNT_ID:role/LAMBDA_EXECUTION_ROLE" in command
    assert f"'fileb://{tmp_path}/my zip.zip'" in command


def test_the_runtime_is_the_python_that_the_package_started_on() -> None:
    runtime, is_own = runtime_of_this_python()
    assert runtime == f"python3.{sys.version_info.minor}"
    assert is_own


def test_a_python_that_lambda_lacks_gets_the_newest_runtime_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lambda_function, "lambda_runtimes", lambda: ("python3.8", "python3.9"))
    assert runtime_of_this_python() == ("python3.9", False)


def test_runtimes_are_ordered_by_number_and_not_by_letters() -> None:
    runtimes = lambda_function.lambda_runtimes()
    assert runtimes.index("python3.9") < runtimes.index("python3.10")


@pytest.mark.parametrize(
    ("stem", "name"), [("my reward", "my-reward"), ("é", "reward"), ("a" * 70, "a" * 64)]
)
def test_a_function_s_name_is_one_that_lambda_takes(stem: str, name: str) -> None:
    assert function_name(stem) == name


def test_each_path_gets_the_right_to_invoke_this_function_and_no_other() -> None:
    allowed = {
        policy.path: statement["Resource"]
        for policy in policies(FUNCTION, calls_a_judge=False)
        for statement in policy.document["Statement"]
        if "lambda:InvokeFunction" in statement["Action"]
    }
    own = [FUNCTION.arn, f"{FUNCTION.arn}:*"]
    assert allowed == {"nova": own, "open-weight": own, "both": own}


def test_only_a_reward_that_calls_a_model_is_told_to_ask_for_one(
    write_files: Callable[..., Path], tmp_path: Path
) -> None:
    source = (
        "def judge():\n    import boto3\n    return boto3.client('bedrock-runtime')\n"
        "def lambda_handler(e, c): return []\n"
    )
    folder = write_files({"reward.py": source})
    made = packaged(folder / "reward.py", tmp_path / "r.zip")
    assert "lambda-judge" in [policy.name for policy in made.policies]
    plain = packaged(find_reward("gsm8k"), tmp_path / "r.zip")
    assert "lambda-judge" not in [policy.name for policy in plain.policies]


def test_every_policy_is_a_document_with_a_source() -> None:
    for policy in policies(FUNCTION, calls_a_judge=True):
        assert policy.document["Version"] == "2012-10-17"
        assert policy.document["Statement"]
        assert policy.source
        json.dumps(policy.document)


@pytest.mark.parametrize("variables", [{"AWS_REGION": "x"}, {"1A": "x"}, {"MODE": "x" * 5000}])
def test_variables_that_lambda_would_refuse_are_not_packaged(
    variables: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(HandlerError, match="the function's environment variables: "):
        packaged(find_reward("gsm8k"), tmp_path / "r.zip", environment=variables)
    assert not (tmp_path / "r.zip").exists()
