"""What AWS's thresholds say to probes whose grades are known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bedrock_rft_sim.diagnosis.probe import advice_as_json, diagnose_probe, learnable
from bedrock_rft_sim.probe.report import ProbeReport
from tests.probe.reports import SETTINGS, report_on


def advice(report: ProbeReport) -> list[dict[str, Any]]:
    return [advice_as_json(finding) for finding in diagnose_probe(report, SETTINGS)]


def words(report: ProbeReport) -> str:
    return " ".join(f"{each['level']}: {each['words']}" for each in advice(report))


@pytest.mark.parametrize(
    ("grades", "said"),
    [
        ([[1.0] * 8] * 64, "stop: 100 % of the samples were solved"),
        ([[0.0] * 8] * 64, "stop: 0 % of the samples were graded above 0"),
        ([[0.0] * 8] * 199 + [[1.0] * 8], "warn: 0.5 % of the samples were graded above 0"),
        ([[0.0] * 8] * 199 + [[1.0] * 8], "under 5.0 % training struggles; take easier"),
        ([[0.0] * 8] * 27 + [[1.0] * 8] * 3, "if it stays under 0.15"),
        (
            [[0.0] * 8] * 20 + [[1.0] * 8] * 10,
            "100 % of the prompts got one grade in all of their 8 samples (33 % were always solved "
            "and 67 % never)",
        ),
        ([[0.0] * 8] * 20 + [[1.0] * 8] * 10, "only 0 % of the groups would be mixed"),
    ],
)
def test_aws_s_thresholds_are_given_with_their_source(grades, said) -> None:
    report = report_on(*grades)
    assert said in words(report)
    assert all(each["source"] for each in advice(report))


@pytest.mark.parametrize(
    "grades",
    [
        [[0.0, 0.0]],
        [[0.0] * 8] * 30,
        [[1.0, 1.0]],
        [[1.0] * 8] * 30,
        [[0.0] * 8] * 63 + [[1.0] * 8],
        [[1.0] * 8] * 63 + [[0.0] * 8],
    ],
)
def test_too_few_prompts_stop_nobody(grades) -> None:
    said = words(report_on(*grades))
    assert "stop" not in said
    assert "too few prompts to tell on which side of AWS's threshold this lies" in said


def test_a_threshold_in_the_interval_is_graver_if_the_middle_lies_beyond_it() -> None:
    assert "note: 6.2 % of the samples were graded above 0" in words(
        report_on(*[[0.0] * 8] * 30, *[[1.0] * 8] * 2)
    )
    assert "warn: 3.1 % of the samples were graded above 0" in words(
        report_on(*[[0.0] * 8] * 31, [1.0] * 8)
    )


def test_partial_credit_everywhere_is_no_reason_to_stop() -> None:
    said = words(report_on(*[[0.2, 0.4, 0.4, 0.8]] * 64))
    assert "stop" not in said
    assert "unnecessary" not in said


def test_full_credit_now_and_then_is_no_reason_to_warn_of_few_positives() -> None:
    assert "above 0" not in words(report_on(*[[0.2, 0.4, 0.4, 0.8]] * 64))


def test_a_larger_group_that_would_not_help_is_not_named() -> None:
    said = words(report_on(*[[0.0] * 8] * 64))
    assert "only 0 % of the groups would be mixed" in said
    assert "with 16" not in said


def test_a_larger_group_that_would_help_is_named_with_its_interval() -> None:
    said = words(report_on(*[[0.0] * 8] * 50, *[[0.0] * 7 + [1.0]] * 14))
    assert "; with 16 it would be" in said


def test_cut_answers_are_told_where_tokens_are_not_counted() -> None:
    report = report_on(*[[0.0, 1.0, 1.0, 1.0]] * 40)
    cut = replace(report, lengths=None, cut=report.success)
    assert "inferenceMaxTokens 96 cuts 75 % of the answers" in words(cut)


def test_a_task_of_middling_difficulty_gets_no_warning() -> None:
    report = report_on(*[[0.0, 1.0, 1.0, 1.0]] * 40)
    assert {each["level"] for each in advice(report)} == {"note"}


def test_on_a_scale_beyond_1_partial_credit_is_not_called_solved() -> None:
    assert "unnecessary" not in words(report_on(*[[3.0, 4.0]] * 63, [10.0, 10.0]))


@pytest.mark.parametrize(
    ("grades", "verdict", "why"),
    [
        ([[0.0, 1.0] * 4] * 64, "learnable", "50 % of the samples are graded above 0"),
        ([[0.2, 0.4, 0.4, 0.8] * 2] * 64, "learnable", "of the groups have differing grades"),
        ([[1.0] * 8] * 200, "not learnable", "solved already"),
        ([[0.0] * 8] * 200, "not learnable", "nothing to reinforce"),
        ([[0.0] * 8] * 100 + [[1.0] * 8] * 100, "not learnable", "almost every advantage is 0"),
        ([[0.0] * 8] * 30, "can't tell", "AWS's limit 5.0 %"),
        ([[0.0] * 8] * 199 + [[1.0] * 8], "not learnable", "differing grades"),
        ([[1.0] * 8] * 30, "can't tell", "solved (AWS's limit 95 %)"),
    ],
)
def test_a_probe_says_whether_the_task_is_learnable(grades, verdict, why) -> None:
    found, words = learnable(report_on(*grades), SETTINGS)
    assert (found, why in words) == (verdict, True), words
