"""The first step's prediction, held against steps drawn from known success rates."""

from __future__ import annotations

import random

import pytest

from bedrock_rft_sim.probe.first_step import predict

BATCH, GROUP, PROMPTS, SAMPLES = 16, 8, 48, 8


def draw(rates: list[float], samples: int, source: random.Random) -> list[list[float]]:
    return [[float(source.random() < rate) for _ in range(samples)] for rate in rates]


def test_nearly_every_step_lies_within_its_prediction() -> None:
    """Each trial probes one draw of prompts and looks at a step of another."""
    source = random.Random(7)
    within_reward = within_mixed = 0
    trials = 40
    for _ in range(trials):
        rates = [source.betavariate(0.6, 1.2) for _ in range(PROMPTS + BATCH)]
        step = predict(draw(rates[:PROMPTS], SAMPLES, source), batch=BATCH, group=GROUP)
        seen = draw(rates[PROMPTS:], GROUP, source)
        reward = sum(map(sum, seen)) / (BATCH * GROUP)
        mixed = sum(0 < sum(group) < GROUP for group in seen) / BATCH
        within_reward += step.reward.low <= reward <= step.reward.high
        assert step.mixed_share is not None
        within_mixed += step.mixed_share.low <= mixed <= step.mixed_share.high
    assert within_reward >= 0.9 * trials
    assert within_mixed >= 0.9 * trials


def test_a_step_scatters_more_than_its_mean_is_unsure() -> None:
    source = random.Random(1)
    step = predict(draw([0.5] * PROMPTS, SAMPLES, source), batch=4, group=2)
    assert step.reward.low < step.reward_mean.low < step.reward.value
    assert step.reward.value < step.reward_mean.high < step.reward.high


def test_a_larger_batch_scatters_less() -> None:
    grades = draw([0.2, 0.8] * 24, SAMPLES, random.Random(2))
    small, large = (predict(grades, batch=batch, group=GROUP).reward for batch in (4, 64))
    assert large.high - large.low < small.high - small.low


def test_a_probe_without_one_success_does_not_claim_to_be_certain() -> None:
    step = predict([[0.0] * SAMPLES for _ in range(20)], batch=BATCH, group=GROUP)
    assert (step.reward.value, step.reward.low) == (0.0, 0.0)
    assert step.reward_mean.high == pytest.approx(0.139, abs=0.001)
    assert step.reward.high >= step.reward_mean.high
    assert step.mixed_share is not None
    assert step.mixed_share.high > 0


def test_a_rare_success_leaves_room_for_a_step_that_sees_several() -> None:
    """One draw in nine of such prompts has no success among 48, and then one step in five has."""
    source = random.Random(3)
    within, trials = 0, 60
    for _ in range(trials):
        rates = [float(source.random() < 0.04) for _ in range(PROMPTS + BATCH)]
        step = predict(draw(rates[:PROMPTS], SAMPLES, source), batch=BATCH, group=GROUP)
        within += step.reward.low <= sum(rates[PROMPTS:]) / BATCH <= step.reward.high
    assert within >= 0.93 * trials


def test_a_group_larger_than_the_samples_is_predicted_with_more_room() -> None:
    grades = draw([0.1] * PROMPTS, 8, random.Random(4))
    counted, continued = (
        predict(grades, batch=BATCH, group=group).mixed_share for group in (8, 16)
    )
    assert counted is not None
    assert continued is not None
    assert continued.value > counted.value
    assert continued.low <= counted.low + 1e-12
    assert continued.high >= counted.high


def test_grades_below_0_are_predicted_on_their_own_scale() -> None:
    step = predict([[-1.0, -1.0, 1.0, 1.0]] * 20, batch=BATCH, group=GROUP)
    assert step.reward.value == 0.0
    assert -0.5 < step.reward.low < 0 < step.reward.high < 0.5
