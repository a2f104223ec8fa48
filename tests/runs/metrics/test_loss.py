from __future__ import annotations

import math

import pytest

from bedrock_rft_sim.runs.metrics import actor_pg_loss, clip_fraction


def test_on_policy_the_loss_is_minus_the_token_mean_of_the_advantages() -> None:
    assert actor_pg_loss([[0.0], [0.0] * 3], [1.0, -1.0]) == 0.5


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss"),
    [
        (1.5, 1.0, -1.2),  # a gain is clipped from above
        (0.5, 1.0, -0.5),  # a loss is not
        (0.5, -1.0, 0.8),  # a gain, clipped from below
        (1.5, -1.0, 1.5),  # a loss is not
        (9.0, -1.0, 3.0),  # until the dual clip
        (9.0, 1.0, -1.2),
    ],
)
def test_the_clip_follows_verl(ratio: float, advantage: float, loss: float) -> None:
    assert actor_pg_loss([[math.log(ratio)]], [advantage]) == pytest.approx(loss)


def test_the_log_ratio_is_bounded_before_the_exponential() -> None:
    assert actor_pg_loss([[1e6]], [-1.0], dual_clip=math.inf) == pytest.approx(math.exp(20))


def test_the_clip_fraction_counts_tokens_whose_clipped_loss_is_larger() -> None:
    ratios = [[math.log(1.5), 0.0], [math.log(1.5), math.log(0.5)]]
    assert clip_fraction(ratios, [1.0, -1.0]) == 0.5


def test_without_tokens_there_is_no_value() -> None:
    assert actor_pg_loss([], []) is None
    assert clip_fraction([[]], [1.0]) is None


def test_lists_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        actor_pg_loss([[0.0]], [])
