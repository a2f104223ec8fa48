"""A run in any state: what can be mended is named, what can't is one message, the rest is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bedrock_rft_sim.errors import RunFolderError
from bedrock_rft_sim.runs import Run, RunFolder
from tests.run_folders import answer, group, metric_line, write_run

STEPS = 4


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    """Give a completed run of four steps with a validation before the first, open for writing."""
    start = {"step": 0, "validation_rewards_mean": 0.25, "local_seconds": {"validate": 2.0,
             "total": 2.5}}  # fmt: skip
    seconds = {"generate": 1.0, "validate": 0.5, "total": 3.0}
    lines = [
        metric_line(step, STEPS, reward=step / STEPS, local_seconds=seconds,
                    local_peak_memory_mb=100.0 * step)
        for step in range(1, STEPS + 1)
    ]  # fmt: skip
    with write_run(
        tmp_path,
        lines=[start, *lines],
        rollouts={step: group(step, "p", [("a", 1.0), ("b", 0.0)]) for step in range(1, STEPS + 1)},
        validations={step: [answer(step, "v", "d", 1.0)] for step in range(STEPS + 1)},
    ) as run:
        yield run


def edit(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(change(lines)))


def test_a_whole_run_is_read_and_needs_no_remark(folder: RunFolder) -> None:
    run = Run.read(folder)
    assert (run.status, run.last_step, run.going_on, run.remarks) == ("Completed", STEPS, False, ())
    assert [line["step"] for line in run.trained] == [1, 2, 3, 4]
    assert run.setting("batch_size") == 16
    assert run.local("model") == "tiny"
    assert (run.setting("nothing"), run.local("nothing")) == (None, None)
    assert [(step, len(answers)) for step, answers in run.rollouts()] == [
        (1, 2), (2, 2), (3, 2), (4, 2)
    ]  # fmt: skip
    assert [(step, len(answers)) for step, answers in run.validations()][:1] == [(0, 1)]


def test_times_means_and_memory_are_those_of_the_steps_that_recorded_them(
    folder: RunFolder,
) -> None:
    run = Run.read(folder)
    assert run.step_seconds() == [2.5] * STEPS
    assert run.seconds("validate") == [2.0, 0.5, 0.5, 0.5, 0.5]
    assert run.seconds("nothing") == []
    assert run.mean("critic_rewards_mean") == 0.625
    assert run.mean("nothing") is None
    assert run.peak_memory_mb() == 400.0
    assert run.billed_seconds() == []


def test_a_run_without_a_step_measured_nothing(tmp_path: Path) -> None:
    with write_run(tmp_path, status="InProgress") as folder:
        run = Run.read(folder)
    assert (run.going_on, run.last_step, run.trained, run.step_seconds()) == (True, 0, [], [])
    assert run.peak_memory_mb() is None


def test_a_run_that_was_killed_and_has_no_recipe_says_so(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, "early").close()
    run = Run.open(tmp_path / "early")
    assert (run.going_on, run.resolved, run.local("model")) == (False, {}, None)
    killed, missing = run.remarks
    assert "it was killed" in killed
    assert "recipe.resolved.json is missing" in missing


def test_a_torn_last_line_is_a_step_that_did_not_happen(folder: RunFolder) -> None:
    edit(folder.metrics, lambda lines: [*lines[:-1], lines[-1][:40]])
    assert Run.read(folder).last_step == STEPS - 1


def test_a_damaged_line_in_the_middle_is_one_message(folder: RunFolder) -> None:
    edit(folder.metrics, lambda lines: [*lines[:2], "garbage\n", *lines[2:]])
    with pytest.raises(RunFolderError, match=r"metrics\.jsonl:3: the file is damaged"):
        Run.read(folder)


def test_steps_out_of_order_are_sorted_and_named(folder: RunFolder) -> None:
    edit(folder.metrics, lambda lines: [lines[0], lines[2], lines[1], *lines[3:]])
    run = Run.read(folder)
    assert [line["step"] for line in run.lines] == [0, 1, 2, 3, 4]
    assert run.remarks == ("metrics.jsonl has step 1 out of order; the lines are sorted.",)


def test_a_step_that_comes_twice_counts_once_and_is_named(folder: RunFolder) -> None:
    edit(folder.metrics, lambda lines: [*lines, lines[2]])
    run = Run.read(folder)
    assert [line["step"] for line in run.lines] == [0, 1, 2, 3, 4]
    assert "step 2 more than once" in "\n".join(run.remarks)


@pytest.mark.parametrize("line", ['{"loss": 1}', '{"step": "3"}', '{"step": -1}', '{"step": true}'])
def test_a_foreign_file_in_place_of_the_metrics_is_one_message(
    folder: RunFolder, line: str
) -> None:
    edit(folder.metrics, lambda lines: [*lines, line + "\n"])
    with pytest.raises(RunFolderError, match=r"metrics\.jsonl:6: this is not a line of metrics"):
        Run.read(folder)


def test_a_word_in_place_of_a_number_is_left_out_and_named(folder: RunFolder) -> None:
    foreign = json.dumps({"step": 5, "critic_rewards_mean": "high", "local_kl": None})
    edit(folder.metrics, lambda lines: [*lines, foreign + "\n"])
    run = Run.read(folder)
    assert "step 5: critic_rewards_mean is no number" in "\n".join(run.remarks)
    assert "critic_rewards_mean" not in run.lines[-1]


def test_a_damaged_run_record_is_one_message(folder: RunFolder) -> None:
    folder.record.write_text('{"schema')
    with pytest.raises(RunFolderError, match=r"run\.json: the file is damaged"):
        Run.read(folder)
