"""`rft probe` as a user meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.cli import main

SMALL = ["--prompts", "6", "--samples", "4", "--set", "local.trainingData=problems:40"]
NOWHERE = ["--endpoint", "http://127.0.0.1:9/v1", "--endpoint-model", "m"]


def test_a_probe_of_the_embedded_model_prints_what_it_found(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out, filtered = tmp_path / "p.json", tmp_path / "kept.jsonl"
    options = ["--out", str(out), "--filtered", str(filtered), *SMALL]
    assert main(["probe", "quickstart", *options]) == 0
    printed = capsys.readouterr().out
    for part in (
        "success",
        "pass@k",
        "dead (all samples graded alike)",
        "continued",
        "prediction interval",
        "verdict  ",
    ):
        assert part in printed
    assert "trainingSamplePerPrompt\n   2 " in printed
    found = json.loads(out.read_text())
    assert found["graded"] == 24
    assert found["verdict"] in ("learnable", "can't tell")
    assert found["sampling"]["answers"] == 24
    assert found["sampling"]["engines"] == ["native"]
    assert "  answered by the engine native\n" in printed
    assert set(found["mixed_groups"]) == {str(size) for size in range(2, 17)}
    kept = len(filtered.read_text().splitlines())
    assert 34 <= kept <= 40
    assert main(["probe", "quickstart", "--json", "--force", *options]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again.pop("filtered")["kept"] == kept
    assert again == found


def test_a_probe_at_aws_s_temperature_says_that_it_is_no_forecast(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    options = ["--out", str(tmp_path / "p.json"), "--temperature", "0.6", *SMALL]
    assert main(["probe", "quickstart", *options]) == 0
    assert "at temperature 0.6, the run samples at 1: no forecast" in capsys.readouterr().out


@pytest.mark.parametrize("temperature", ["0", "-1", "3", "nan", "warm"])
def test_a_temperature_that_no_run_may_have_is_refused(
    temperature: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["probe", "quickstart", f"--temperature={temperature}"])
    assert exit_.value.code == 2
    assert "--temperature" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--endpoint-model", "m"], "without the endpoint"),
        (["--endpoint", "http://127.0.0.1:9/v1"], "model is not named"),
        (["--endpoint", "file:///x", "--endpoint-model", "m"], "no web address"),
        (
            [*NOWHERE, "--endpoint-key-env", "NO_SUCH_KEY_HERE"],
            "a key in NO_SUCH_KEY_HERE",
        ),
        (["--samples", "1"], "samples that can differ"),
        (["--force"], "without a file to replace"),
        (
            ["--endpoint", "http://u:hidden@127.0.0.1/v1", "--endpoint-model", "m"],
            "holds a user name or password",
        ),
    ],
)
def test_wrong_usage_is_one_message(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["probe", "quickstart", "--out", str(tmp_path / "p.json"), *options]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert "hidden" not in printed.err
    assert printed.out == ""


def test_an_endpoint_that_is_not_there_is_reported_and_the_key_is_not(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    write_rows: Callable[..., Path],
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setattr("bedrock_rft_sim.probe.endpoint.BACKOFF_S", 0.0)
    data = write_rows(20)
    sources = ["--set", f"local.trainingData={data}", "--set", f"local.validationData={data}"]
    out = tmp_path / "p.json"
    assert main(["probe", "quickstart", "--out", str(out), *NOWHERE, *sources]) == 1
    printed = capsys.readouterr()
    assert "not one sample was answered" in printed.err
    assert "no connection" in printed.err
    written = "".join(path.read_text() for path in tmp_path.iterdir() if path.is_file())
    assert "sk-very-secret" not in printed.err + printed.out + written


def test_the_help_writes_per_cent_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["probe", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "with 95 % intervals" in printed
    assert "%%" not in printed
