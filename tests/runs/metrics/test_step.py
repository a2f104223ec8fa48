from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from bedrock_rft_sim.contract.metrics import METRICS
from bedrock_rft_sim.runs.metrics import drop_non_finite, step_metrics
from bedrock_rft_sim.runs.rollouts import Rollout


@dataclass(frozen=True)
class Call:
    duration_s: float
    init_s: float | None = None
    samples: int = 4
    errors: tuple[str, ...] = ()


def rollout(
    prompt: str = "a", sample: int = 0, *, grade: float = 0.0, length: int = 4, **rest: Any
) -> Rollout:
    values: dict[str, Any] = {
        "stop_reason": "stop",
        "components": [],
        "advantage": 0.0,
        "entropy": None,
    }
    return Rollout(
        step=1,
        prompt_id=prompt,
        sample=sample,
        text="x",
        tokens=[1] * length,
        grade=grade,
        **{**values, **rest},
    )


def metrics(*rollouts: Rollout, **scalars: Any) -> dict[str, Any]:
    return step_metrics(rollouts, step=3, total_steps=9, **scalars)


def test_rewards_and_lengths_are_means_over_rollouts() -> None:
    values = metrics(rollout(grade=1, length=2), rollout(sample=1, grade=0.5, length=7))
    assert values["critic_rewards_mean"] == 0.75
    assert (values["critic_rewards_min"], values["critic_rewards_max"]) == (0.5, 1.0)
    assert values["response_length_mean"] == 4.5
    assert (values["step"], values["total_steps"]) == (3, 9)


def test_advantages_and_entropy_are_weighted_by_length() -> None:
    values = metrics(
        rollout(length=1, advantage=1.0, entropy=2.0),
        rollout(sample=1, length=3, advantage=-1.0, entropy=1.0),
    )
    assert values["critic_advantages_mean"] == -0.5
    assert values["actor_entropy"] == 1.25
    assert (values["critic_advantages_min"], values["critic_advantages_max"]) == (-1.0, 1.0)


def test_what_is_unknown_is_absent_and_never_zero() -> None:
    values = metrics(rollout())
    for name in (
        "actor_entropy",
        "actor_grad_norm",
        "actor_pg_loss",
        "validation_rewards_mean",
        "local_kl",
        "local_parse_failures",
        "local_reward_components",
        "local_grader_latency_p50_s",
        "local_grader_errors",
        "local_seconds",
        "local_tokens_per_second",
        "local_peak_memory_mb",
    ):
        assert name not in values


def test_the_line_of_step_zero_holds_validation_only() -> None:
    values = step_metrics((), step=0, total_steps=9, validation=[rollout(grade=1, length=5)])
    assert values == {
        "step": 0,
        "total_steps": 9,
        "validation_rewards_mean": 1.0,
        "validation_response_length_mean": 5.0,
    }


def test_groups_are_mixed_by_any_difference_and_right_only_above_zero() -> None:
    values = metrics(
        *(rollout("mixed", n, grade=g) for n, g in enumerate([0.1, 0.1 + 1e-15])),
        *(rollout("right", n, grade=0.5) for n in range(2)),
        *(rollout("wrong", n, grade=0) for n in range(2)),
        *(rollout("punished", n, grade=-1) for n in range(2)),
    )
    assert values["local_groups_mixed"] == 0.25
    assert values["local_groups_all_right"] == 0.25
    assert values["local_groups_all_wrong"] == 0.5


def test_parse_failures_come_from_the_component_answer_found() -> None:
    def found(value: float, kind: str = "Metric") -> list[dict[str, Any]]:
        return [
            {"name": "answer_found", "value": value, "type": kind},
            {"name": "accuracy", "value": 0.5, "type": "Reward"},
        ]

    values = metrics(*(rollout(sample=n, components=found(n > 0)) for n in range(4)))
    assert values["local_parse_failures"] == 0.25
    assert values["local_reward_components"] == {"answer_found": 0.75, "accuracy": 0.5}
    assert "local_parse_failures" not in metrics(rollout(components=found(0, "Reward")))


def test_truncated_answers_are_counted() -> None:
    values = metrics(rollout(stop_reason="length"), rollout(sample=1))
    assert values["local_truncated_share"] == 0.5


def test_grader_latency_errors_and_cold_starts() -> None:
    calls = [Call(n / 100, 0.2 if n == 1 else None) for n in range(1, 101)]
    values = metrics(rollout(), invocations=[*calls[:99], Call(1.0, errors=("Timeout", "Timeout"))])
    assert values["local_grader_latency_p50_s"] == 0.5
    assert values["local_grader_latency_p95_s"] == 0.95
    assert values["local_grader_latency_max_s"] == 1.0
    assert values["local_grader_errors"] == {"Timeout": 2}
    assert values["local_grader_failed_samples"] == 4
    assert values["local_grader_cold_starts"] == 1


def test_tokens_per_second_leave_the_validation_out() -> None:
    seconds = {"generate": 1.0, "update": 1.0, "validate": 6.0, "total": 8.0}
    values = metrics(rollout(length=10), seconds=seconds)
    assert (values["local_tokens"], values["local_tokens_per_second"]) == (10, 5.0)
    assert values["local_seconds"] == seconds
    del seconds["total"]
    assert metrics(rollout(length=10), seconds=seconds)["local_tokens_per_second"] == 5.0


def test_second_opinions_are_means_of_what_each_graded_and_absent_where_it_graded_nothing() -> None:
    graded = [rollout(also_graded={"a": 1.0, "b": 0.5}), rollout(sample=1, also_graded={"a": 0.0})]
    values = metrics(*graded, validation=[rollout()])
    assert values["local_also_graded"] == {"a": 0.5, "b": 0.5}
    assert "local_validation_also_graded" not in values
    assert "local_also_graded" not in metrics(rollout())


def test_non_finite_values_are_taken_out_and_named() -> None:
    clean, names = drop_non_finite(
        {"step": 1, "a": math.nan, "b": 0.0, "c": {"x": -math.inf, "y": 1.0}, "d": None}
    )
    assert clean == {"step": 1, "b": 0.0, "c": {"y": 1.0}, "d": None}
    assert names == ("a", "c.x")


def test_every_name_of_the_eight_event_keys_is_computed() -> None:
    full = metrics(
        rollout(entropy=1.0), grad_norm=0.5, pg_loss=0.0, epoch=1, validation=[rollout()]
    )
    outside = [m.inner for m in METRICS if not m.inner.startswith("local_")]
    assert [name for name in outside if name not in full] == []
