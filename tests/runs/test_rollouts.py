from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.runs.rollouts import Rollout, from_line, group_advantages, groups, to_line

numbers = st.floats(allow_nan=False, allow_infinity=False)
rollouts = st.builds(
    Rollout,
    step=st.integers(0, 10**6),
    prompt_id=st.text(min_size=1),
    sample=st.integers(0, 64),
    text=st.text(st.characters(exclude_categories=[])),
    tokens=st.lists(st.integers(0, 300_000)),
    stop_reason=st.sampled_from(["stop", "length"]),
    grade=numbers,
    components=st.lists(
        st.fixed_dictionaries(
            {"name": st.text(), "value": numbers, "type": st.sampled_from(["Reward", "Metric"])}
        )
    ),
    advantage=st.none() | numbers,
    entropy=st.none() | numbers,
    logprob=st.none() | numbers,
)


def make(prompt_id: str = "a", sample: int = 0) -> Rollout:
    return Rollout(1, prompt_id, sample, "x", [1], "stop", 0.0, [], 0.0)


@settings(deadline=None)
@given(rollouts)
def test_a_rollout_survives_the_way_through_a_json_line(rollout: Rollout) -> None:
    line = to_line(rollout)
    assert "\n" not in line
    assert line.isascii()
    assert from_line(line) == rollout


@settings(deadline=None)
@given(st.lists(st.lists(st.floats(-1e307, 1e307), min_size=1, max_size=8), max_size=5))
def test_advantages_keep_the_shape_and_the_order_of_the_rewards(rewards: list[list[float]]) -> None:
    advantages = group_advantages(rewards)
    assert [len(group) for group in advantages] == [len(group) for group in rewards]
    for given_G, got_G in zip(rewards, advantages, strict=True):
        assert all(math.isfinite(value) for value in got_G)
        pairs = sorted(zip(given_G, got_G, strict=True))
        assert [got for _, got in pairs] == sorted(got_G)


def test_advantages_are_the_reward_minus_mean_over_the_unbiased_deviation() -> None:
    rewards = [1.0, 0.0, 0.0, 0.5]
    mean, deviation = statistics.mean(rewards), statistics.stdev(rewards)
    expected = [(reward - mean) / (deviation + 1e-6) for reward in rewards]
    assert group_advantages([rewards]) == [pytest.approx(expected, abs=1e-12)]


def test_a_group_of_four_with_one_right_answer_reaches_verls_largest_value() -> None:
    assert max(group_advantages([[1.0, 0.0, 0.0, 0.0]])[0]) == pytest.approx(1.5, abs=1e-5)


def test_equal_rewards_give_exactly_zero_even_where_their_mean_is_rounded() -> None:
    assert group_advantages([[0.1] * 7, [1.0] * 3]) == [[0.0] * 7, [0.0] * 3]


def test_a_group_of_one_keeps_its_reward() -> None:
    assert group_advantages([[0.7], [-1.0]]) == [[pytest.approx(0.7)], [pytest.approx(-1.0)]]


def test_groups_gather_the_samples_of_a_prompt_however_they_are_interleaved() -> None:
    one, two, three = make("a", 0), make("b", 0), make("a", 1)
    assert groups([one, two, three]) == [[one, three], [two]]


def test_a_prompt_that_comes_twice_in_a_step_makes_two_groups() -> None:
    assert [len(group) for group in groups([make(sample=i % 2) for i in range(4)])] == [2, 2]


@pytest.mark.parametrize("line", ["{", "[]", '{"step": 1}'])
def test_a_line_that_is_no_rollout_is_named(line: str) -> None:
    with pytest.raises(DataError, match="step-000003"):
        from_line(line, where="rollouts/step-000003.jsonl:4")


def test_a_key_of_a_later_version_is_ignored() -> None:
    assert from_line(to_line(make())[:-1] + ',"later":1}') == make()
