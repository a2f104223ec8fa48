from __future__ import annotations

import pytest

from bedrock_rft_sim.grader.grade.replay import Replay, step_change, validation_change
from bedrock_rft_sim.runs.rollouts import Rollout, group_advantages


def group(prompt: str, *grades: float) -> list[Rollout]:
    [advantages] = group_advantages([grades])
    return [
        Rollout(1, prompt, n, "", [1], "stop", grade, [], advantage)
        for n, (grade, advantage) in enumerate(zip(grades, advantages, strict=True))
    ]


def test_the_same_grades_change_nothing() -> None:
    rollouts = [*group("a", 1, 0, 0, 1), *group("b", 0, 0)]
    found = step_change(rollouts, [rollout.grade for rollout in rollouts])
    assert found.recorded == found.new
    assert (found.advantage_change, found.flipped_share) == (0.0, 0.0)
    assert found.recorded is not None
    assert (found.recorded.mixed, found.recorded.zero_variance) == (0.5, 0.5)


def test_a_reward_turned_round_flips_every_sign_of_a_mixed_group() -> None:
    rollouts = group("a", 1, 0, 0, 1)
    found = step_change(rollouts, [0.0, 1.0, 1.0, 0.0])
    assert found.flipped_share == 1.0
    [before] = group_advantages([[1, 0, 0, 1]])
    assert found.advantage_change == pytest.approx(2 * sum(map(abs, before)) / 4)


def test_a_lost_signal_is_a_zero_variance_group_and_no_flip() -> None:
    found = step_change(group("a", 1, 0), [1.0, 1.0])
    assert found.flipped_share == 0.0
    assert found.recorded is not None
    assert found.new is not None
    assert (found.recorded.zero_variance, found.new.zero_variance) == (0.0, 1.0)
    assert found.new.all_right == 1.0


def test_a_group_with_an_unscored_answer_is_left_out_of_both_sides() -> None:
    rollouts = [*group("a", 1, 0), *group("b", 0, 0)]
    found = step_change(rollouts, [1.0, None, 1.0, 0.0])
    assert (found.groups, found.groups_left_out, found.rollouts) == (1, 1, 2)
    assert found.recorded is not None
    assert found.recorded.reward_mean == 0.0
    assert found.new is not None
    assert found.new.reward_mean == 0.5


def test_a_step_without_a_complete_group_is_unknown_and_not_zero() -> None:
    found = step_change(group("a", 1, 0), [None, None])
    assert (found.recorded, found.new, found.advantage_change, found.flipped_share) == (
        None, None, None, None,
    )  # fmt: skip
    replay = Replay("r")
    replay.steps.append(found)
    overall = replay.as_json()["overall"]
    assert overall["groups_left_out"] == 1
    assert overall["recorded"]["reward_mean"] is None
    assert overall["flipped_share"] is None


def test_the_whole_weighs_steps_by_their_rollouts_and_groups() -> None:
    replay = Replay("r")
    replay.steps.append(step_change(group("a", 1, 1, 1), [1.0, 1.0, 0.0]))
    two = [*group("b", 0, 0), *group("c", 1, 0), *group("d", 0, 0)]
    replay.steps.append(step_change(two, [0.0] * 6))
    overall = replay.as_json()["overall"]
    assert overall["recorded"]["reward_mean"] == pytest.approx(4 / 9)
    assert overall["new"]["reward_mean"] == pytest.approx(2 / 9)
    assert overall["recorded"]["mixed"] == 0.25
    assert overall["new"]["mixed"] == 0.25
    assert overall["recorded"]["zero_variance"] == 0.75


def test_a_validation_compares_the_answers_with_a_new_score() -> None:
    rollouts = group("a", 1, 0, 1)
    found = validation_change(rollouts, [0.5, None, 0.5])
    assert (found.answers, found.recorded_mean, found.new_mean) == (2, 1.0, 0.5)
    assert validation_change(rollouts, [None] * 3).new_mean is None
