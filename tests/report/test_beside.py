"""What stands beside compared curves: graders, and an estimate against what was seen."""

from __future__ import annotations

from pathlib import Path

from bedrock_rft_sim.compare import compare
from bedrock_rft_sim.compare.series import Curves, read_curves
from bedrock_rft_sim.report.beside import EstimatedAndSeen, beside
from bedrock_rft_sim.report.overlay import Overlay, page
from bedrock_rft_sim.runs import RunFolder

LINE = "REPORT RequestId: {}\tDuration: {}.00 ms\tBilled Duration: {} ms\tMemory Size: 512 MB\n"
JOB = {
    "status": "Completed",
    "origin": "bedrock",
    "started": "2026-11-26T12:00:00+00:00",
    "ended": "2026-11-26T13:30:00+00:00",
    "grader": {"invocations": 2, "p50_s": 0.2, "max_s": 0.4, "errors": {"timeout": 1}},
    "estimate": {
        "lambda_invocations": {"value": 10.0, "low": 1.0, "high": 64.0, "basis": "assumed"},
        "gb_seconds": {"value": None, "low": None, "high": 9.5, "basis": "upper bound"},
    },
}


def run(parent: Path, name: str, *billed: int, **record: object) -> Curves:
    with RunFolder.create(parent, name) as folder:
        folder.append_metrics({"step": 1, "critic_rewards_mean": 0.5, "local_grader_errors": {}})
        folder.append_metrics({"step": 2, "critic_rewards_mean": 0.6})
        folder.write_record(**record)
        text = "".join(LINE.format(number, each, each) for number, each in enumerate(billed))
        folder.grader_log.write_text(text)
    (found,) = read_curves(parent / name)
    return found


def test_graders_here_and_on_lambda_stand_under_each_other(tmp_path: Path) -> None:
    here = run(tmp_path, "home", 10, 20, 30, status="Completed")
    there = run(tmp_path, "job", 200, 400, **JOB)
    found = beside([[here], [there]])
    assert [(each.where, each.invocations, each.failed) for each in found.graders] == [
        ("here", 3, 0),
        ("on Lambda", 2, 1),
    ]
    assert [each.max_s for each in found.graders] == [0.03, 0.4]
    assert found.estimates == (
        EstimatedAndSeen("Lambda invocations", "1 to 64", "2"),
        EstimatedAndSeen("Lambda GB-seconds", "at most 9.5", "0.3"),
        EstimatedAndSeen("hours of the job", "unknown", "1.50"),
    )
    html = page([Overlay(compare([here], [there], resamples=20), [here], [there], "a", "b")])
    assert "on Lambda" in html
    assert "Estimated before, and seen" in html


def test_what_is_not_known_is_not_there(tmp_path: Path) -> None:
    here = run(tmp_path, "home", status="Completed")
    found = beside([[here], [Curves("events.json", "mantle", here.series)]])
    assert (found.graders, found.estimates) == ((), ())
