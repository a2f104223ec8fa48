"""What is read from a run's folder and a probe's result, and how sure it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.estimate import read_measured
from bedrock_rft_sim.estimate.quantity import mean_over_units
from bedrock_rft_sim.grader.container import Fault, Outcome
from bedrock_rft_sim.grader.log import GraderLog
from bedrock_rft_sim.recipe import load_recipe
from bedrock_rft_sim.runs.rollouts import Rollout
from tests.run_folders import stated, write_run

SETTINGS = load_recipe("quickstart").settings
RESOLVED = {
    "settings": stated(asdict(SETTINGS)),
    "local": stated({"model": "tiny", "lambda.batchSize": 4}),
}


def test_a_run_s_lengths_times_and_memory_are_read_from_its_folder(tmp_path: Path) -> None:
    with write_run(tmp_path, "r", resolved=RESOLVED) as folder:
        folder.append_metrics({"step": 0, "local_seconds": {"validate": 2.0, "total": 2.0}})
        for step, length in ((1, 40.0), (2, 60.0), (3, 50.0)):
            line = {
                "step": step,
                "critic_rewards_mean": 0.5,
                "response_length_mean": length,
                "local_truncated_share": 0.25,
                "local_rollouts": 10,
                "local_seconds": {"grade": 0.5, "update": 1.5, "total": 4.0, "validate": 2.0},
                "local_peak_memory_mb": 100.0 * step,
            }
            folder.append_metrics(line)
    found = read_measured(tmp_path / "r")
    assert (found.model, found.limit, found.rollouts_per_step) == ("tiny", 96, 10)
    assert found.response_tokens is not None
    assert found.response_tokens.value == 50.0
    assert found.cut_share == 0.25
    assert found.grader_seconds is None  # no log was kept; wall time is something else
    assert found.step_seconds is not None
    assert found.step_seconds.value == 2.0
    assert found.validation_seconds is not None
    assert found.validation_seconds.value == 2.0
    assert found.steps == 3
    assert (found.peak_memory_mb, found.total_seconds) == (300.0, 14.0)


def test_a_run_s_groups_validations_and_longest_answers_are_read(tmp_path: Path) -> None:
    line = {"critic_rewards_mean": 0.5, "response_length_mean": 20.0, "local_rollouts": 2}
    with write_run(tmp_path, "r", resolved=RESOLVED) as folder:
        folder.append_metrics({"step": 0, "validation_rewards_mean": 0.25})
        folder.write_rollouts(
            1,
            [Rollout(1, "p", g, "x", [1] * length, "stop", 1.0, [], 0.0)
             for g, length in enumerate((10, 30))],
        )  # fmt: skip
        folder.append_metrics(
            {"step": 1, "local_groups_mixed": 0.5, "validation_rewards_mean": 0.75, **line}
        )
    found = read_measured(tmp_path / "r", lengths=True)
    assert found.answer_tokens_p99 == 30
    assert found.mixed_groups == {SETTINGS.samples_per_prompt: 0.5}
    assert found.validation == ((0, 0.25), (1, 0.75))
    assert read_measured(tmp_path / "r").answer_tokens_p99 is None


def invocation(seconds: float, answer: bytes | Fault = b"[]") -> Outcome:
    return Outcome("r", answer, seconds, None, 16.0, b"REPORT nothing of Lambda's\n", "hooks")


def graded_run(
    parent: Path, outcomes: Sequence[Outcome], *, steps: int = 1, rollouts: int = 10
) -> Path:
    """Write a run of steps of 10 answers in events of 4, and one validation of 6 answers."""
    with write_run(parent, "r", resolved=RESOLVED) as folder:
        answers = [Rollout(0, "p", n, "x", [1], "stop", 1.0, [], 0.0) for n in range(6)]
        folder.write_validation(0, answers)
        for step in range(1, steps + 1):
            line: dict[str, Any] = {
                "step": step,
                "critic_rewards_mean": 0.5,
                "response_length_mean": 40.0,
                "local_rollouts": rollouts,
                "local_seconds": {"grade": 100.0, "total": 101.0},
            }
            folder.append_metrics(line)
    log = GraderLog(folder.grader_log, memory_mb=512)
    for outcome in outcomes:
        log.write(outcome)
    return parent / "r"


def test_a_run_s_grading_time_is_what_lambda_would_bill_and_not_wall_time(tmp_path: Path) -> None:
    # 10 rollouts make 3 events of 4, 6 validation answers 2: billed 3, 3, 3, 2 and 1 ms
    seen = [invocation(s) for s in (0.0025, 0.0025, 0.003, 0.0011, 0.001)]
    found = read_measured(graded_run(tmp_path, seen)).grader_seconds
    assert found is not None
    assert found.value == pytest.approx(0.012 / 16)


def test_repeated_steps_and_retries_in_the_log_do_not_add_answers(tmp_path: Path) -> None:
    failed = invocation(0.002, Fault("RuntimeError", "no"))
    seen = [invocation(0.002), failed] * 20
    found = read_measured(graded_run(tmp_path, seen)).grader_seconds
    # still 5 events of 2 ms for 16 answers
    assert found is not None
    assert found.value == pytest.approx(0.010 / 16)


def test_a_single_steady_step_has_no_interval(tmp_path: Path) -> None:
    found = read_measured(graded_run(tmp_path, [invocation(0.002)], steps=2))
    for quantity in (found.step_seconds, found.grader_seconds):
        assert quantity is not None
        assert quantity.value is not None
        assert (quantity.low, quantity.high) == (None, None)


def test_an_interval_over_steps_is_student_s() -> None:
    values = [3.0, 5.0, 4.0, 8.0]
    found = mean_over_units(values)
    low, high = stats.t.interval(0.95, 3, loc=5.0, scale=stats.sem(values))
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((5.0, low, high))


def test_steps_alike_are_not_taken_for_certainty() -> None:
    found = mean_over_units([10.0, 10.0, 10.0])
    assert found is not None
    assert (found.low, found.high) == (9.5, 10.5)
    scattered = mean_over_units([0.1, 10.0])
    assert scattered is not None
    assert scattered.low == 0.0  # no time is below nothing
    assert mean_over_units([]) is None


def probe(**changes: object) -> dict[str, object]:
    share = {"value": 0.25, "low": 0.2, "high": 0.3, "method": "m"}
    record: dict[str, object] = {
        "model": "tiny",
        "is_local": True,
        "max_tokens": 96,
        "lengths": {
            "mean": {**share, "value": 40.0},
            "percentiles": {"99": {**share, "value": 70}},
            "cut": share,
        },
        "mixed_groups": {"2": share, "16": None},
        "grader_seconds": share,
        "sampling": {"seconds": 20.0, "answers": 80},
    }
    return {**record, **changes}


@pytest.mark.parametrize(
    ("changes", "sampling"),
    [
        ({}, 0.25),
        ({"sampling": None}, None),
        ({"is_local": False}, None),  # an endpoint's seconds are not this machine's
    ],
)
def test_a_local_probe_tells_what_sampling_takes(
    changes: dict[str, object], sampling: float | None, tmp_path: Path
) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(probe(**changes)))
    assert read_measured(path).sampling_seconds == sampling


def test_a_probe_from_before_sampling_was_timed_is_read_still(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps({k: v for k, v in probe().items() if k != "sampling"}))
    assert read_measured(path).sampling_seconds is None


def test_a_probe_s_lengths_and_groups_are_read(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(probe()))
    found = read_measured(path)
    assert (found.answer_tokens_p99, found.cut_share, found.limit) == (70, 0.25, 96)
    assert found.mixed_groups == {2: 0.25}


def test_a_probe_s_missing_interval_stays_missing(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    seconds = {"value": 0.25, "low": None, "high": None, "method": "one prompt only"}
    path.write_text(json.dumps(probe(grader_seconds=seconds)))
    found = read_measured(path).grader_seconds
    assert found is not None
    assert (found.value, found.low, found.high) == (0.25, None, None)


@pytest.mark.parametrize("content", ["{}", '{"probe_schema": 1}', '{"lengths": 3, "model": "m"}'])
def test_a_file_that_is_no_probe_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(content)
    with pytest.raises(DataError, match="nothing was measured here"):
        read_measured(path)
