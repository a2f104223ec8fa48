"""The command line as a user meets it."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.cli import main, parser

COMMON = {"-h", "--help", "--debug"}
VERBS = {
    "init": COMMON
    | {"--from", "--dialect", "--model", "--data", "--validation", "--reward", "-o", "--out"}
    | {"--force", "--json"},
    "data": COMMON
    | {"--against", "--any", "--by", "--cap", "--copies", "--count", "--down-sample"}
    | {"--drop", "--filters", "--force", "--json", "--keep", "--map"}
    | {"--max-prompt-length", "--metadata", "--model", "--nfkc", "--no-near", "--out"}
    | {"--paraphrase", "--parts", "--plot", "--recipe", "--rename", "--renumber", "--seed"}
    | {"--shape", "--split", "--system", "--target", "--template", "--threshold"}
    | {"--validation", "--with-response", "-o"},
    "check": COMMON
    | {"--set", "--json", "--ledger", "--no-audit", "--replies", "--waive", "--rows", "--evidence"}
    | {"--advice", "--measured"},
    "audit": COMMON
    | {"--data", "--profile", "--wrap", "--answers", "--seed", "--json", "--handler", "--timeout"}
    | {"--memory", "--batch", "--env", "--pass-aws-credentials"}
    | {"--replies", "--waive", "--rows", "--evidence"},
    "grade": COMMON
    | {"--reward", "--data", "--profile", "--recipe", "--validation", "--out", "--json"},
    "package": COMMON
    | {"-o", "--out", "--handler", "--name", "--timeout", "--memory", "--env", "--policies"}
    | {"--json"},
    "compare": COMMON
    | {"--with", "--bedrock", "--axis", "--batch-size", "--margin", "--top", "--out", "--strict"}
    | {"--plan", "--bands", "--json", "--label", "--format", "--panel", "--no-verdict", "--csv"},
    "report": COMMON
    | {"--text", "--out", "--export", "--bands", "--watch", "--port", "--json"}
    | {"--open"},
    "estimate": COMMON
    | {"--set", "--json", "--measured", "--measure", "--price", "--prices"}
    | {"--seconds-per-step", "--judge-calls", "--gpus"},
    "probe": COMMON
    | {"--set", "--json", "--prompts", "--samples", "--out", "--filtered", "--force"}
    | {"--temperature", "--endpoint", "--endpoint-model", "--endpoint-key-env"},
    "serve": COMMON
    | {"--root", "--host", "--port", "--parallel", "--mapping", "--region", "--token-env"}
    | {"--no-token", "--model", "--pending", "--faults", "--json"},
    "submit": COMMON
    | {"--set", "--json", "--plan", "--yes", "--create-role", "--function-role", "--existing"}
    | {"--out", "--replies", "--waive", "--rows", "--evidence"},
    "pull": COMMON | {"--out", "--watch", "--every", "--json"},
    "deploy": COMMON | {"--out", "--name", "--json"},
    "stop": COMMON | {"--out", "--json"},
    "clean": COMMON | {"--out", "--keep", "--yes", "--json"},
    "sweep": COMMON | {"--out", "--workers", "--seeds", "--json"},
    "ls": COMMON | {"--json"},
    "rm": COMMON | {"--yes", "--json"},
    "diff": COMMON | {"--json"},
    "chat": COMMON | {"--prompt", "--temperature", "--max-tokens", "--json"},
    "export": COMMON | {"-o", "--out", "--json"},
    "completion": COMMON | {"--json"},
    "run": COMMON | {"--set", "--json", "--out", "--name", "--resume", "--quiet"} | {"--open"},
}


def trained_on(data: Path) -> list[str]:
    """Options that put a file in place of the built-in problems."""
    sources = (f"local.trainingData={data}", f"local.validationData={data}")
    return [part for source in sources for part in ("--set", source)]


def options_of(verb: argparse.ArgumentParser) -> set[str]:
    """Return the options of a verb and of the verbs below it."""
    found = set()
    for action in verb._actions:
        found.update(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                found |= options_of(below)
    return found


def test_the_verbs_and_options_are_these_and_no_others() -> None:
    choices = parser()._subparsers._group_actions[0].choices  # type: ignore[union-attr]
    found = {name: options_of(verb) for name, verb in choices.items()}  # type: ignore[union-attr]
    assert found == VERBS


def test_a_wrong_verb_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["rehearse"])
    assert exit_.value.code == 2


def test_an_unknown_recipe_is_one_message_without_a_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", "quickstrat"]) == 2
    printed = capsys.readouterr()
    assert "did you mean quickstart?" in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "quickstrat", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_check_prints_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "quickstart", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True
    assert found["steps"]["total"] == found["data"]["train_prompts"] // 16
    assert {result["profile"] for result in found["reward"]} == {"metadata", "root", "both"}
    assert found["ledger"]


def test_check_tells_the_published_run_s_arithmetic(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "gsm8k-open-weight", "--json"]) == 0
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert steps["total"] == 67
    assert steps["checkpoints"] == [20, 40, 60, 67]


def test_check_fails_where_bedrock_would_refuse(capsys: pytest.CaptureFixture[str]) -> None:
    knob = "customizationConfig.rftConfig.hyperParameters.batchSize=4"
    assert main(["check", "quickstart", "--set", knob]) == 1
    printed = capsys.readouterr().out
    assert "Bedrock would refuse" in printed
    assert "batchSize" in printed


def test_check_fails_when_the_reward_reads_the_reference_from_elsewhere(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    reward = tmp_path / "reads_root.py"
    reward.write_text(
        "def lambda_handler(event, context):\n"
        "    return [{'id': s['id'], 'aggregate_reward_score':"
        " float('reference_answer' in s)} for s in event]\n"
    )
    sets = ["--set", f"local.reward={reward}", "--set", "local.payloadProfile=metadata"]
    assert main(["check", "quickstart", *sets]) == 1
    printed = capsys.readouterr().out
    assert "FAIL metadata" in printed
    assert "silent zero" in printed
    assert "ok   root" in printed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no record"),
        ('{"messages": [{"role": "user", "content": "a"}]}\n{"messages": [\n', ":2"),
        ('{"id": "x", "reference_answer": "1"}\n', "messages"),
    ],
)
def test_bad_data_is_one_message_with_file_and_line(
    content: str, message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data = tmp_path / "train.jsonl"
    data.write_text(content)
    assert main(["check", "quickstart", *trained_on(data)]) == 2
    printed = capsys.readouterr().err
    assert "train.jsonl" in printed
    assert message in printed


def test_prompts_over_the_limit_are_dropped_and_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    knob = "customizationConfig.rftConfig.hyperParameters.maxPromptLength=60"
    main(["check", "quickstart", "--json", "--set", knob])
    data = json.loads(capsys.readouterr().out)["data"]
    assert data["prompt_tokens"]["dropped"] > 0
    assert data["train_prompts"] < data["records"]


def test_all_prompts_over_the_limit_is_an_error_with_the_shortest_length(
    capsys: pytest.CaptureFixture[str],
) -> None:
    knob = "customizationConfig.rftConfig.hyperParameters.maxPromptLength=5"
    assert main(["check", "quickstart", "--set", knob]) == 2
    assert "raise maxPromptLength to at least" in capsys.readouterr().err


def test_too_few_prompts_for_a_step_is_an_error(
    capsys: pytest.CaptureFixture[str], write_rows: Callable[..., Path]
) -> None:
    data = write_rows(5)
    assert main(["check", "quickstart", *trained_on(data)]) == 2
    assert "too few prompts for one training step" in capsys.readouterr().err


def test_help_imports_no_heavy_library() -> None:
    code = (
        "import sys; from bedrock_rft_sim.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'trl', 'transformers', 'datasets', 'botocore', 'pydantic', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "bedrock_rft_sim", "check", "quickstart", "--no-audit", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.close()
    _, errors = child.communicate()
    assert b"rft: " not in errors
    assert b"Traceback" not in errors
    assert child.returncode == 1


@pytest.mark.parametrize("words", [[], ["data"]])
def test_without_a_verb_the_verbs_are_listed(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    printed = capsys.readouterr()
    assert "check" in printed.err
    assert "required" not in printed.err
    assert printed.out == ""
