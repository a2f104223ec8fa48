"""`rft estimate` as a user meets it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from bedrock_rft_sim.cli import main
from bedrock_rft_sim.estimate import read_measured
from bedrock_rft_sim.recipe import load_recipe
from tests.run_folders import stated, write_run

RECIPE = ["estimate", "quickstart", "--set", "local.trainingData=problems:64"]


@pytest.fixture(autouse=True)
def _no_runs_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start where nothing was run yet, since a finished run is named as a measure."""
    monkeypatch.chdir(tmp_path)


def test_an_estimate_says_what_is_bounded_and_what_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(RECIPE) == 0
    printed = capsys.readouterr().out
    for part in (
        "at most",
        "upper bound",
        "--price rft-hour=USD",
        "time unknown",
        "MB of main memory, estimated",
        "rft estimate quickstart --set local.trainingData=problems:64 --measure",
        "4 steps of 16 prompts x 8 answers = 512 answers to sample, and 2 validations of 128 "
        "prompts = 256 more",
        "  gradients  ",
        "sum of what is known       $1.95",
        "and on top of it           at most $",
        "nothing was measured",
    ):
        assert part in printed


def test_a_probe_narrows_the_estimate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "p.json"
    small = ["--set", "local.trainingData=problems:64", "--prompts", "16", "--samples", "4"]
    assert main(["probe", "quickstart", "--out", str(out), *small]) == 0
    capsys.readouterr()
    assert main([*RECIPE, "--measured", str(out), "--json"]) == 0
    job = json.loads(capsys.readouterr().out)["job"]
    assert job["response_tokens"]["basis"] == job["gb_seconds"]["basis"] == "measured"
    assert 0 < job["response_tokens"]["low"] < job["response_tokens"]["value"]
    assert read_measured(out).mixed_groups.keys() == set(range(2, 17))


def test_a_job_priced_by_the_user_is_summed_up_whole(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    options = ["--price", "rft-hour=40", "--seconds-per-step", "60", "--judge-calls", "0"]
    assert main([*RECIPE, *options]) == 0
    printed = capsys.readouterr().out
    # 64 prompts make 4 steps of 16: 240 s, a 15th of an hour, at $40
    assert "training hours             $2.67  stated" in printed
    assert "judge calls         0  stated" in printed
    assert "unknown: give" not in printed


def test_what_a_run_took_is_printed_beside_the_estimate(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    recipe = load_recipe("quickstart")
    local = stated({"model": "tiny", "lambda.batchSize": 64})
    resolved = {"settings": stated(asdict(recipe.settings)), "local": local}
    with write_run(tmp_path, "r", resolved=resolved) as folder:
        for step in range(5):
            trained = {"critic_rewards_mean": 0.5, "response_length_mean": 40.0}
            line = {"local_rollouts": 128, "local_peak_memory_mb": 1000.0} | trained if step else {}
            seconds = {"validate": 1.0, "total": 3.0}
            folder.append_metrics({"step": step, "local_seconds": seconds} | line)
    assert main([*RECIPE, "--measured", str(tmp_path / "r")]) == 0
    printed = capsys.readouterr().out
    # 4 steps of 2 s, and a second for each validation: 2 are estimated, the run made 5
    assert "seconds in all      10 (" in printed
    assert "measured by run r, 4 steps" in printed
    assert "seconds of a step   2 (1.9 to 2.1)  measured" in printed
    assert "seconds in all      15.0, 1.50 of the estimate" in printed
    assert "peak memory         1,000 MB, 0." in printed
    assert "time unknown" not in printed


def test_a_finished_run_under_runs_is_named_by_the_command_that_would_use_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_run("runs", "before").close()
    assert main(RECIPE) == 0
    printed = capsys.readouterr().out
    assert "time unknown" in printed
    assert "--measured runs/before" in printed


def test_a_probe_s_sampling_is_told_as_the_least_that_a_run_takes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    probe: dict[str, object] = {"model": "tiny", "is_local": True, "max_tokens": 96}
    probe |= {"lengths": None, "grader_seconds": None, "mixed_groups": {}}
    probe |= {"sampling": {"seconds": 20.0, "answers": 80}}
    path = tmp_path / "p.json"
    path.write_text(json.dumps(probe))
    assert main([*RECIPE, "--measured", str(path)]) == 0
    printed = capsys.readouterr().out
    # 4 steps of 128 answers and 2 validations of 128, a quarter of a second each
    assert "seconds in all      at least 192  lower bound: sampling alone" in printed
    assert "to know all of it; to measure it here:\n  rft estimate quickstart --set" in printed


@pytest.mark.slow
def test_a_measurement_runs_two_steps_and_leaves_nothing_behind(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    small = ["--set", "local.overrides.inferenceMaxTokens=8", "--price", "rft-hour=1"]
    assert main([*RECIPE, *small, "--measure", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["measured"]["steps"] == 2
    assert found["measured"]["validation_prompts"] == 16
    assert found["seconds"]["value"] > 0
    assert (found["answers"], found["validation_answers"]) == (512, 256)
    assert list(tmp_path.iterdir()) == []


def test_what_is_measured_is_not_measured_again(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*RECIPE, "--measure", "--measured", str(tmp_path)])
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("smi", "told"),
    [
        ("exit 9", "how much of it is free is not known"),
        ("echo 1", "more than the 1 MB that are free now"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_a_gpu_is_estimated_for_what_nvidia_smi_says_of_it(
    smi: str,
    told: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{smi}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert main([*RECIPE, "--set", "local.device=cuda"]) == 0
    printed = capsys.readouterr().out
    assert "MB of GPU memory, estimated" in printed
    assert "answers in one pass: 1 (local.passMemory caps it)" in printed
    assert told in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--price", "rft-hours=4"], "did you mean rft-hour"),
        (["--prices", "no-such-file.yaml"], "can't read the prices"),
    ],
)
def test_wrong_usage_is_one_message(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RECIPE, *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--seconds-per-step", "-1"], ["--judge-calls", "nan"]])
def test_an_amount_is_a_number_of_at_least_0(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*RECIPE, *options])
    assert ended.value.code == 2
    assert "at least 0" in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_one_message(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([*RECIPE, "--measured", str(tmp_path)]) == 1
    assert "there is no run here" in capsys.readouterr().err


def test_the_ways_to_train_stand_in_a_table_of_gpus(capsys: pytest.CaptureFixture[str]) -> None:
    lora = ["--set", "local.training.method=lora"]
    assert main([*RECIPE, *lora, "--gpus", "1x24", "--gpus", "8x80"]) == 0
    printed = capsys.readouterr().out
    assert "   1 x 24 GB   8 x 80 GB" in printed
    row, legend = [line for line in printed.splitlines() if line.startswith("    QLoRA")]
    assert row.count(" +") == 2
    assert "local.training.quantization: nf4" in legend
    assert main([*RECIPE, *lora, "--gpus", "8x80", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["ways"]
    assert [each["way"]["name"] for each in told][-1] == "FSDP2"
    assert all(each["fits"] for each in told)
