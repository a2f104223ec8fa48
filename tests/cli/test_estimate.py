"""`rft estimate` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim.cli import main
from sim.guidance import read_evidence

RECIPE = ["estimate", "quickstart", "--set", "local.trainingData=problems:64"]


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
        "memory at most",
        "nothing was measured",
    ):
        assert part in printed


def test_a_probe_narrows_the_estimate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "p.json"
    small = ["--set", "local.trainingData=problems:64", "--prompts", "4", "--samples", "2"]
    assert main(["probe", "quickstart", "--out", str(out), *small]) == 0
    capsys.readouterr()
    assert main([*RECIPE, "--measured", str(out), "--json"]) == 0
    job = json.loads(capsys.readouterr().out)["job"]
    assert job["response_tokens"]["basis"] == job["gb_seconds"]["basis"] == "measured"
    assert 0 < job["response_tokens"]["low"] < job["response_tokens"]["value"]
    assert read_evidence(out).mixed_groups.keys() == set(range(2, 17))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--price", "rft-hours=4"], "did you mean rft-hour"),
        (["--seconds-per-step", "-1"], "at least 0"),
        (["--judge-calls", "nan"], "at least 0"),
        (["--prices", "no-such-file.yaml"], "can't read the prices"),
    ],
)
def test_wrong_usage_is_one_message(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RECIPE, *options]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_one_message(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([*RECIPE, "--measured", str(tmp_path)]) == 1
    assert "there is no run here" in capsys.readouterr().err
