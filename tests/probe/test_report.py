"""What a probe's samples say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.probe.reports import report_on


def values(*shares: Any) -> list[float]:
    return [share.value for share in shares]


def test_prompts_are_counted_by_the_share_solved() -> None:
    report = report_on([0.0] * 4, [1.0, 0, 0, 0], [1.0, 1, 0, 0], [1.0, 1, 1, 0], [1.0] * 4)
    assert list(report.histogram.values()) == [1, 1, 1, 1, 0, 1]
    assert report.success.value == 0.5
    assert values(report.always, report.never, report.dead) == [0.2, 0.2, 0.4]
    assert report.pass_at_k[4].value == 0.8
    assert report.parse_failures is not None
    assert report.parse_failures.value == 0.5


def test_partial_credit_is_positive_and_not_solved() -> None:
    report = report_on([0.2, 0.8], [0.5, 0.5], [1.0, 1.0], [0.0, 0.0], [0.5, 1.0])
    assert [r.kind for r in report.prompts] == ["mixed", "alike", "always", "never", "mixed"]
    assert report.success.value == pytest.approx(3 / 10)
    assert report.positive.value == pytest.approx(8 / 10)
    assert values(report.always, report.never, report.dead) == pytest.approx([0.2, 0.6, 0.6])
    assert report.pass_at_k[2].value == pytest.approx(2 / 5)
    assert list(report.histogram.values()) == [3, 0, 1, 0, 0, 1]


def test_on_a_scale_beyond_1_only_the_highest_grade_is_solved() -> None:
    report = report_on(*[[3.0, 4.0]] * 63, [10.0, 10.0])
    assert report.solved_at == 10
    assert report.success.value == pytest.approx(1 / 64)


def test_a_prompt_that_lacks_a_sample_is_not_called_dead() -> None:
    report = report_on([0.0], [0.0] * 3, [0.0] * 4, [0.0, 1.0], asked=4)
    assert [r.kind for r in report.prompts] == ["open", "open", "never", "mixed"]
    assert values(report.never, report.dead) == [1.0, 1.0]
    assert report.never is not None
    assert report.never.low < 0.1  # one whole prompt says little
    assert sum(report.histogram.values()) == 1


def test_without_a_whole_prompt_nobody_knows_the_dead() -> None:
    report = report_on([0.0] * 3, [1.0] * 2, asked=4)
    assert (report.always, report.never, report.dead) == (None, None, None)


def test_one_faulty_sample_leaves_the_table_of_mixed_groups_as_it_is() -> None:
    whole = [[0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0]] * 20
    report = report_on(*whole, [1.0], asked=8)
    assert all(share is not None for share in report.mixed_groups.values())
