"""`rft probe --endpoint` from the command line to the wire and back."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.cli import main
from bedrock_rft_sim.cli.progress import Progress
from bedrock_rft_sim.runs.observer import Stage

KEY = "sk-very-secret"


@pytest.fixture
def command(
    stand_in: Any, write_rows: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    monkeypatch.setenv("MY_KEY", KEY)
    data = write_rows(20)
    return [
        *("probe", "quickstart", "--prompts", "5", "--samples", "4"),
        *("--set", f"local.trainingData={data}", "--set", f"local.validationData={data}"),
        *("--endpoint", stand_in.url, "--endpoint-model", "m", "--endpoint-key-env", "MY_KEY"),
        *("--out", str(tmp_path / "p.json")),
    ]


def everything_written(tmp_path: Path) -> str:
    return "".join(path.read_text() for path in tmp_path.iterdir() if path.is_file())


def test_an_endpoint_s_answers_are_graded_and_the_key_is_only_sent(
    command: list[str], stand_in: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--json"]) == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert (report["graded"], report["is_local"]) == (20, False)
    assert report["lengths"]["mean"]["value"] == 5
    assert {each["headers"]["Authorization"] for each in stand_in.requests} == {f"Bearer {KEY}"}
    assert KEY not in printed.out + printed.err + everything_written(tmp_path)
    lines = (tmp_path / "p.samples.jsonl").read_text().splitlines()[1:]
    assert {json.loads(line)["text"] for line in lines} == {"#### 3"}
    assert {json.loads(line)["grade"] for line in lines} <= {0.0, 1.0}


def test_a_probe_tells_how_far_it_is(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Stage] = []
    monkeypatch.setattr(Progress, "doing", lambda _self, stage: told.append(stage))
    assert main(command) == 0
    counts = [(stage.done, stage.of) for stage in told if stage.what == "probing m"]
    assert counts[0] == (0, 20)
    assert counts[-1] == (20, 20)


def test_too_many_failed_samples_fail_the_command_and_are_listed(
    command: list[str], stand_in: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in.script = [stand_in.answer("no", status=400)] * 2
    assert main(command) == 1
    printed = capsys.readouterr().out
    assert "2 of 20 samples have no grade, more than the 5 % allowed; none was invented" in printed
    assert "2 x status 400 no" in printed
    assert "prompts: sum-" in printed


def test_a_few_failed_samples_are_told_and_let_pass(
    command: list[str], stand_in: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in.script = [stand_in.answer("no", status=400)]
    assert main(command) == 0
    assert "1 of 20 samples have no grade, within the 5 % allowed" in capsys.readouterr().out


def test_refused_parameters_and_empty_replies_are_told_and_graded(
    command: list[str], stand_in: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in.otherwise = stand_in.refusing("max_tokens", "top_p")
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "refused by the endpoint: max_tokens sent as max_completion_tokens\n" in printed
    assert "refused by the endpoint: top_p left out; its own default holds\n" in printed
    report = json.loads((tmp_path / "p.json").read_text())
    assert report["request_changes"] == ["max_tokens sent as max_completion_tokens",
                                         "top_p left out"]  # fmt: skip
    (tmp_path / "p.samples.jsonl").unlink()
    stand_in.otherwise = stand_in.answer(stand_in.completion(None))
    assert main([*command, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["graded"], report["success"]["value"]) == (20, 0)


def of(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_filtered_data_is_counted_on_the_terminal_with_a_warning_under_a_hundred(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept.jsonl"
    assert main([*command, "--filtered", str(kept)]) == 0
    printed = capsys.readouterr().out
    count = len(kept.read_text().splitlines())
    assert f"filtered {count} of 20 records of {tmp_path}/rows.jsonl kept in {kept}: " in printed
    assert "15 kept unprobed" in printed
    assert f"warn     {count} records are left, Bedrock asks for 100" in printed
    assert (tmp_path / "kept.jsonl.manifest.json").is_file()


@pytest.mark.parametrize("name", ["rows.jsonl", "p.json", "p.samples.jsonl", "mine.txt"])
def test_a_file_in_the_way_is_refused_before_anything_is_sampled(
    name: str,
    command: list[str],
    stand_in: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    assert main([*command, "--filtered", str(tmp_path / name)]) == 2
    assert "--filtered" in capsys.readouterr().err
    assert stand_in.requests == []
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_after_too_many_failures_nothing_is_filtered(
    command: list[str], stand_in: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in.script = [stand_in.answer("no", status=400)] * 2
    kept = tmp_path / "kept.jsonl"
    assert main([*command, "--filtered", str(kept)]) == 1
    assert "filtered nothing written: too many samples have no grade" in capsys.readouterr().out
    assert not kept.exists()
    stand_in.script = [stand_in.answer("no", status=400)] * 2
    assert main([*command, "--filtered", str(kept), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["filtered"] is None


def test_lengths_have_intervals_and_lower_bounds_are_called_so(
    command: list[str], stand_in: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    bodies = itertools.cycle([("length", 96), ("stop", 5), ("stop", 7), ("stop", 6)])
    stand_in.script = [
        stand_in.answer(stand_in.completion("#### 3", reason=reason, tokens=tokens))
        for reason, tokens in itertools.islice(bodies, 20)
    ]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "lengths  tokens per answer: mean at least 28.5 (" in printed
    assert "p50 6 (" in printed
    assert "p99 at least 96 (" in printed
    assert "to unknown)" in printed


def test_the_share_cut_is_told_where_no_tokens_are_counted(
    command: list[str], stand_in: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in.otherwise = stand_in.answer(
        stand_in.completion("#### 3", reason="length", tokens=None)
    )
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "lengths  unknown: the endpoint does not count tokens" in printed
    assert "cut by inferenceMaxTokens 96: 100.0 %" in printed


def test_an_endpoint_that_is_not_aws_s_is_not_called_bedrock(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "first point of this model's curve" in printed
    assert "Bedrock's curve" not in printed


def test_giving_up_is_told_in_words(
    command: list[str], stand_in: Any, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr("bedrock_rft_sim.probe.endpoint.BACKOFF_S", 0.0)
    stand_in.script = [stand_in.otherwise] * 4
    stand_in.otherwise = stand_in.answer("down", status=503)
    assert main(command) == 1
    printed = capsys.readouterr()
    assert "the endpoint failed 3 prompts in a row, so the rest were not sent" in printed.out
    assert "4 of 20 samples graded, 12 failed" in printed.err


def test_the_next_probe_with_another_limit_has_a_file_of_its_own(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    unnamed = [part for part in command if part not in ("--out", of(command, "--out"))]
    limit = "customizationConfig.rftConfig.hyperParameters.inferenceMaxTokens=200"
    assert main(unnamed) == 0
    assert main([*unnamed, "--set", limit]) == 0
    names = sorted(path.name for path in (tmp_path / "probes").glob("*.json"))
    assert len(names) == 2
    assert all(name.startswith("quickstart-") for name in names)


def test_partial_credit_is_printed_beside_what_was_solved(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reward = tmp_path / "half.py"
    reward.write_text(
        "def lambda_handler(event, context):\n"
        "    return [{'id': s['id'], 'aggregate_reward_score': 0.5} for s in event]\n"
    )
    assert main([*command, "--set", f"local.reward={reward}"]) == 0
    printed = capsys.readouterr().out
    assert "success  0.0 % (0.0 to 45.1) of the samples solved (graded 1 or more)" in printed
    assert "100.0 % (54.9 to 100.0) of the samples graded above 0" in printed
    assert "dead (all samples graded alike) 100.0 %" in printed


@pytest.mark.parametrize("debug", [(), ("--debug",)])
def test_a_key_that_no_header_carries_is_in_no_message_and_no_traceback(
    debug: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    key = "sk-live-0123456789\nabcdef"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    asked = ("--endpoint", "http://127.0.0.1:9/v1", "--endpoint-model", "m")
    assert main(["probe", "quickstart", *asked, "--out", str(tmp_path / "p.json"), *debug]) == 2
    told = "".join(capsys.readouterr())
    assert "the key can't be sent" in told
    assert "0123456789" not in told
    assert list(tmp_path.iterdir()) == []
