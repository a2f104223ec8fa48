"""A damaged run folder is one message or a remark, whatever reads it; nothing lost goes unsaid.

The run is the one of version 0.1 that the tests of `runs` carry: three steps, two validations.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim import cli
from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.grader.grade.run import open_source
from tests.run_damage import HARMS, Harm, Mutator, a_pipe, cut, nested, removed

WHOLE = Path(__file__).parent.parent / "runs" / "version_0_1"
READ_BY_REPORT = (
    "run.json", "recipe.resolved.json", "metrics.jsonl", "prompts.jsonl",
    "rollouts/step-000002.jsonl", "validation/step-000002.jsonl",
)  # fmt: skip
LOSSES = ("cut", "emptied", "removed", "a_folder", "a_pipe", "a_loop", "not_utf_8", "nested")
"""Harms after which something is gone for certain; a flipped bit may be one of an answer's text."""
INPUTS = 600
NEWER = {
    "remarks": ["The checkpoint of step 2 is damaged."],
    "checkpoints_have_manifests": True,
    "engine": {"name": "native", "why": None},
    "update": {"name": "padded", "why": "its layers are of another kind"},
    "lora": {"reached": 7, "odds": "the router is adapted"},
    "second_opinions": {"strict": "ce19"},
    "floor": {"score": 0.1, "strategy": "7", "strategies": 9, "rows": 5, "left_out": None},
    "early_stopping": {
        "step": 3, "best_step": 2, "best_validation_reward": 0.5, "reason": "nothing gained",
    },
}  # fmt: skip
"""What run.json holds since, and a mutator should meet."""


def quick_for(*names: str) -> list[Any]:
    """Return every harm as a parameter; all but the named ones belong to the slow tier."""
    slow = {harm: () if harm.__name__ in names else (pytest.mark.slow,) for harm in HARMS}
    return [pytest.param(harm, id=harm.__name__, marks=marks) for harm, marks in slow.items()]


pytestmark = pytest.mark.usefixtures("each_curve_once")  # most damages change none


@pytest.fixture(autouse=True)
def _no_mistake_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(error: Exception) -> str:
        raise AssertionError("an error that nobody foresaw") from error

    monkeypatch.setattr(cli, "own_mistake", fail)


def copy(at: Path) -> Path:
    """Return a copy of the run's folder, two below that of its recipe."""
    ignored = shutil.ignore_patterns("checkpoints")
    return shutil.copytree(WHOLE, at, ignore=ignored) / "runs" / "old"


def report(run: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """Return the exit code, and what was said: the remarks or the message."""
    code = cli.main(["report", str(run), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out)["remarks"] if code == 0 else [err]


@pytest.mark.parametrize("name", READ_BY_REPORT)
@pytest.mark.parametrize("harm", quick_for("cut", "removed", "nested"))
def test_what_report_reads_and_finds_damaged_is_said(
    harm: Harm, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = copy(tmp_path / "home")
    harm(run / name)
    code, said = report(run, capsys)
    assert code in (0, 1)
    assert said or harm.__name__ not in LOSSES
    if code:
        assert said[0].startswith("rft: ")
        assert said[0].count("expected:") <= 1


@pytest.mark.parametrize("key", ["advantage", "grade", "tokens", "text", "components"])
def test_an_answer_of_another_type_is_named_with_its_line(
    key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = copy(tmp_path / "home")
    path = run / "rollouts" / "step-000002.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[4][key] = {"odd": "one"}
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, said = report(run, capsys)
    assert code == 0
    assert "step-000002.jsonl:5" in said[0]
    assert cli.main(["grade", str(run), "--reward", "gsm8k"]) == 2
    message = capsys.readouterr().err
    assert "step-000002.jsonl:5" in message
    assert f"{key} is" in message


def test_a_setting_that_is_a_string_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = copy(tmp_path / "home")
    resolved = json.loads((run / "recipe.resolved.json").read_text())
    resolved["settings"]["batch_size"] = "16"
    (run / "recipe.resolved.json").write_text(json.dumps(resolved))
    code, said = report(run, capsys)
    assert (code, "settings.batch_size is '16', not an object" in said[0]) == (1, True)


def test_steps_and_answers_that_are_gone_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = copy(tmp_path / "home")
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(lines[:2] + lines[3:]))
    (run / "rollouts" / "step-000003.jsonl").unlink()
    (run / "validation" / "step-000000.jsonl").unlink()
    path = run / "rollouts" / "step-000001.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:5]))
    code, said = report(run, capsys)
    assert code == 0
    assert said[:3] == [
        "metrics.jsonl lacks step 2.",
        "rollouts/ lacks the answers of step 3.",
        "validation/ lacks the answers of step 0.",
    ]
    assert "answers are missing from the file" in said[3]


def test_a_complete_run_whose_last_lines_are_gone_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = copy(tmp_path / "home")
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "status": "Completed"}))
    assert report(run, capsys) == (0, ["metrics.jsonl lacks step 4."])
    assert cli.main(["compare", str(run), "--with", str(run), "--json"]) == 0
    assert "metrics.jsonl lacks step 4." in capsys.readouterr().out


OF_A_RUN = (
    *READ_BY_REPORT, "events.jsonl", "trainer.jsonl", "step_wise_training_metrics.csv",
    "request.json", "recipe.yaml", "grader.log", "report.html", ".lock",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("harm", [cut, removed, a_pipe, nested], ids=lambda harm: harm.__name__)
def test_a_resume_of_a_damaged_run_goes_on_or_ends_with_one_message(
    harm: Harm,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bedrock_rft_sim.train.run._train", lambda *_: "Completed")
    for name in OF_A_RUN:
        home = shutil.copytree(WHOLE, tmp_path / name.replace("/", "-"))
        run = home / "runs" / "old"
        (run / name).touch()
        harm(run / name)
        command = ["run", str(home / "recipe.yaml"), "--resume", "--out", str(home / "runs")]
        code = cli.main([*command, "--quiet"])
        out, err = capsys.readouterr()
        told = f"{harm.__name__} {name}: {out}{err}"
        assert code in (0, 1), told
        if not out:  # it did not go on
            assert code == 1, told
            assert err.startswith("rft: "), told
            assert err.count("expected:") <= 1, told
        elif name in ("metrics.jsonl", "run.json") and harm.__name__ in LOSSES:
            assert "lacks step" in out, told


@pytest.mark.parametrize("key", ["value", "origin", "source"])
def test_a_setting_that_lacks_a_key_is_named(
    key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = copy(tmp_path / "home")
    resolved = json.loads((run / "recipe.resolved.json").read_text())
    del resolved["settings"]["batch_size"][key]
    (run / "recipe.resolved.json").write_text(json.dumps(resolved))
    code, said = report(run, capsys)
    assert (code, f"settings.batch_size lacks {key}" in said[0]) == (1, True)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_no_damage_ends_in_a_traceback_or_goes_unsaid(
    part: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, mutator = copy(tmp_path / "whole"), Mutator(part)
    record = json.loads((whole / "run.json").read_text())
    (whole / "run.json").write_text(json.dumps(record | NEWER))
    for number in range(INPUTS // 4):
        run = shutil.copytree(whole, tmp_path / str(number))
        how, name = mutator.damage(run)
        told = f"{how} {name}, input {number} of {part}"
        if number % 4 < 2:
            code, said = report(run, capsys)
            assert code in (0, 1), told
            assert said or how not in LOSSES or str(name) not in READ_BY_REPORT, told
        elif number % 4 == 2:
            command = ["compare", str(run), "--with", str(whole), "--json"]
            assert cli.main(command) in (0, 1, 2), told
        else:
            command = ["estimate", str(WHOLE / "recipe.yaml"), "--measured", str(run), "--json"]
            assert cli.main(command) in (0, 1, 2), told
            _read_for_grading(run)
        capsys.readouterr()
        shutil.rmtree(tmp_path / str(number))


def _read_for_grading(run: Path) -> None:
    try:
        for _ in open_source(run, data=None, recipe=None, validation=True).batches:
            pass
    except RehearsalError:
        pass
