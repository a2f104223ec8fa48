"""The one published mantle event and the two published log lines, to the last digit.

Sources: AWS Machine Learning Blog, RFT on Amazon Bedrock with OpenAI-compatible APIs (the event);
aws/nova-forge-sdk, tests of its log monitor (the lines).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.compare.series import read_curves

EVENT = {
    "id": "ftevent-c3c14785-4a3b-4dab-99a5-a15aeb6c0742",
    "created_at": 1771442218,
    "level": "info",
    "message": "Step 4/67: training metrics",
    "object": "fine_tuning.job.event",
    "data": {
        "total_steps": 67,
        "actor_grad_norm": 0.0008667297661304474,
        "response_length_mean": 519.09375,
        "step": 4,
        "actor_pg_loss": 0.10153239965438844,
        "critic_rewards_mean": 0.4375,
        "actor_entropy": 0.6235736012458801,
        "critic_advantages_mean": 0.013622610829770563,
    },
    "type": "metrics",
}
VERL = (
    "[2026-02-13 15:15:07,022] [INFO] \x1b[36m(TaskRunner pid=12647)\x1b[0m step:295 - "
    "global_seqlen/mean:4009.21875 - actor/entropy:2.542900800704956 - "
    "actor/reward_kl_penalty:-0.29242539405822754 - actor/reward_kl_penalty_coeff:0.02 - "
    "actor/pg_loss:0.0 - actor/grad_norm:0.3703329265117645 - actor/lr:1e-05 - "
    "training/global_step:295 - training/epoch:5 - critic/score/mean:0.8046875 - "
    "critic/rewards/mean:0.8313651084899902 - critic/rewards/max:1.097672462463379 - "
    "critic/rewards/min:-0.9990701675415039 - critic/advantages/mean:0.00265043624676764 - "
    "critic/advantages/max:1.4999932050704956 - critic/advantages/min:-1.4999825954437256 - "
    "response_length/mean:4.76171875 - response_length/max:5.0 - "
    "response_length/clip_ratio:0.0 - perf/throughput:38.81311253930573\n"
)
HYPERPOD = (
    "[my-lora-rft] [2026-03-08 22:40:07,102] [INFO] Training epoch 0, iteration 119/999 | "
    "lr: 7e-07 | global_batch_size: 256 | global_step: 119 | reduced_train_loss: 0.007075 | "
    "prompt_length: 7.26e+03 | completion_length: 635.2 | global_seq_length: 7.895e+03 | "
    "adv: 0.02718 | reasoning_length_size: 0 | train_rm_score: 0.6797 | kl: 0.0008378 | "
    "ent: 0.1944 | clipfrac: 0.004458 | train_step_timing in s: 1.232e+03 | "
    "consumed_samples: 30720\n"
)

Save = Callable[..., Path]


@pytest.mark.parametrize(
    "content",
    [[EVENT], EVENT, {"object": "list", "data": [EVENT], "has_more": False}],
    ids=["list", "one", "page"],
)
def test_the_published_mantle_event_is_read(content: object, save: Save) -> None:
    (found,) = read_curves(save("events.json", content))
    assert found.kind == "mantle"
    assert found.total_steps == 67
    assert {name: (curve.steps, curve.values) for name, curve in found.series.items()} == {
        "critic_rewards_mean": ((4,), (0.4375,)),
        "response_length_mean": ((4,), (519.09375,)),
        "actor_entropy": ((4,), (0.6235736012458801,)),
        "actor_pg_loss": ((4,), (0.10153239965438844,)),
        "actor_grad_norm": ((4,), (0.0008667297661304474,)),
        "critic_advantages_mean": ((4,), (0.013622610829770563,)),
    }
    assert found.unknown == ()


def test_the_published_verl_line_is_read(save: Save) -> None:
    (found,) = read_curves(save("job.log", "starting\n" + VERL))
    assert found.kind == "verl-log"
    values = {name: curve.values for name, curve in found.series.items()}
    assert {curve.steps for curve in found.series.values()} == {(295,)}
    assert values["critic_rewards_mean"] == (0.8313651084899902,)
    assert values["critic_rewards_max"] == (1.097672462463379,)
    assert values["critic_rewards_min"] == (-0.9990701675415039,)
    assert values["actor_entropy"] == (2.542900800704956,)
    assert values["actor_grad_norm"] == (0.3703329265117645,)
    assert values["response_length_mean"] == (4.76171875,)
    assert values["critic_advantages_mean"] == (0.00265043624676764,)
    assert values["epoch"] == (5.0,)
    assert values["critic/score/mean"] == (0.8046875,)
    assert values["actor/reward_kl_penalty"] == (-0.29242539405822754,)
    assert "critic/score/mean" in found.unknown
    assert "critic_rewards_mean" not in found.unknown


def test_the_published_hyperpod_line_is_read(save: Save) -> None:
    (found,) = read_curves(save("job.log", HYPERPOD))
    assert found.kind == "hyperpod-log"
    assert found.total_steps == 999
    values = {name: curve.values for name, curve in found.series.items()}
    assert {curve.steps for curve in found.series.values()} == {(119,)}
    assert values["critic_rewards_mean"] == (0.6797,)
    assert values["response_length_mean"] == (635.2,)
    assert values["actor_entropy"] == (0.1944,)
    assert values["critic_advantages_mean"] == (0.02718,)
    assert values["prompt_length"] == (7260.0,)
    assert values["train_step_timing in s"] == (1232.0,)
    assert values["consumed_samples"] == (30720.0,)
    assert {"kl", "clipfrac", "reduced_train_loss"} <= set(found.unknown)


@pytest.mark.parametrize(("line", "kind"), [(VERL, "verl-log"), (HYPERPOD, "hyperpod-log")])
def test_the_lines_come_also_as_cloudwatch_returns_them(line: str, kind: str, save: Save) -> None:
    events = [{"timestamp": 1, "message": "starting"}, {"timestamp": 2, "message": line}]
    (found,) = read_curves(save("log.json", {"events": events, "nextForwardToken": "f/1"}))
    (plain,) = read_curves(save("job.log", line))
    assert found.kind == kind
    assert found.series == plain.series
