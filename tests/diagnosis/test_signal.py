from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from bedrock_rft_sim.diagnosis import Evidence, learning_signal, signal_record


@dataclass(frozen=True)
class Signal:
    ok: bool
    words: str


def signal(lines: Sequence[Mapping[str, Any]]) -> Signal:
    """The learning signal as run.json holds it."""
    return Signal(**signal_record(learning_signal(Evidence(lines))))


def line(mixed: float, *, right: float = 0.0, low: float = 0.0, high: float = 1.0, **rest: Any):
    return {
        "step": 1,
        "local_rollouts": 128,
        "local_groups_mixed": mixed,
        "local_groups_all_right": right,
        "local_groups_all_wrong": 1 - mixed - right,
        "critic_rewards_min": low,
        "critic_rewards_max": high,
        **rest,
    }


def test_mixed_groups_are_a_signal() -> None:
    found = signal([line(0.5), line(0.25)])
    assert found.ok
    assert found.words.startswith(
        "Learning signal: 38 % of the prompt groups had differing rewards"
    )


def test_constant_grades_are_named_with_their_number_and_cause() -> None:
    cause = {"local_parse_failures": 1.0, "local_truncated_share": 0.75}
    found = signal([{"step": 0}, *[line(0, high=0.0, **cause)] * 10])
    assert not found.ok
    for words in (
        "No learning signal: every one of the 1,280 rollouts was graded 0",
        "found no answer in 100 % of the rollouts (parse failures)",
        "75 % of the rollouts were cut off by inferenceMaxTokens",
        "Next: Raise inferenceMaxTokens",
        "rft check",
    ):
        assert words in found.words


def test_without_a_known_cause_none_is_invented() -> None:
    words = signal([line(0, high=0.0)]).words
    assert "parse failures" not in words
    assert "inferenceMaxTokens" not in words


def test_a_solved_task_is_told_apart_from_a_hopeless_one() -> None:
    words = signal([line(0.01, right=0.98)]).words
    assert "already solves" in words
    assert "harder prompts" in words
    assert "easier prompts" not in words


def test_a_reward_that_grades_everything_alike_is_suspected_first() -> None:
    words = signal([line(0, right=1.0, low=0.5, high=0.5)]).words
    assert "was graded 0.5" in words
    assert "Next: Run `rft check`" in words
    assert "tells a wrong answer from a right one" in words


def test_groups_that_differ_only_from_each_other_are_no_signal() -> None:
    found = signal([line(0, right=0.5)])
    assert not found.ok
    assert "within each group" in found.words


@pytest.mark.parametrize(("share", "words"), [(0.03, "3.0 %"), (0.0001, "under 0.1 %")])
def test_a_few_mixed_groups_are_hardly_a_signal(share: float, words: str) -> None:
    found = signal([line(share)])
    assert not found.ok
    assert found.words.startswith(f"Hardly any learning signal: only {words} of the prompt groups")


def test_no_step_is_no_signal() -> None:
    assert not signal([{"step": 0, "validation_rewards_mean": 0.5}]).ok


def test_a_few_lucky_answers_are_no_signal_to_speak_of() -> None:
    found = signal([line(0.1, local_positive_share=0.01)] * 9)
    assert not found.ok
    for words in ("only 1.0 % of the last rollouts were graded above 0", "in 90 % of the groups"):
        assert words in found.words


def test_rare_success_that_becomes_common_is_a_signal() -> None:
    rising = [line(0.2, local_positive_share=share) for share in (0.01, 0.02, 0.1, 0.3, 0.5, 0.6)]
    assert signal(rising).ok


def test_a_reward_below_zero_is_not_taken_for_failure() -> None:
    assert signal([line(0.9, low=-1.0, high=0.0, local_positive_share=0.0)]).ok
