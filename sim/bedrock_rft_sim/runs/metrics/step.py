"""One step's rollouts and the trainer's scalars as one dictionary under the inner names.

A value that is unknown is absent, never 0. Nothing is rounded and nothing is filtered:
`drop_non_finite` does that afterwards.

What the three group shares mean (they add up to 1):
- mixed: at least two different grades in the group, compared exactly; only such groups teach.
- all right: one and the same grade above 0.
- all wrong: one and the same grade, 0 or below.

Sources: verl `compute_data_metrics` (rewards per sequence, advantages per response token).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from bedrock_rft_sim.runs.rollouts import Rollout, groups
from bedrock_rft_sim.stats.shares import mean, percentile, weighted_mean

ANSWER_FOUND = "answer_found"
"""The `Metric` component by which a reward says whether it found something to grade (1) or not."""


class Timing(Protocol):
    """What this room reads of a grader invocation."""

    @property
    def duration_s(self) -> float:
        """Time of the attempt that succeeded."""

    @property
    def init_s(self) -> float | None:
        """Time of the cold start, where there was one."""

    @property
    def samples(self) -> int:
        """How many samples the event held."""

    @property
    def errors(self) -> tuple[str, ...]:
        """Class names of the failed attempts."""


def step_metrics(
    rollouts: Sequence[Rollout],
    *,
    step: int,
    total_steps: int,
    epoch: int | None = None,
    grad_norm: float | None = None,
    pg_loss: float | None = None,
    clip_fraction: float | None = None,
    invocations: Sequence[Timing] = (),
    seconds: Mapping[str, float] | None = None,
    peak_memory_mb: float | None = None,
    validation: Sequence[Rollout] | None = None,
) -> dict[str, Any]:
    """Return the step's metrics by inner name; step 0 (validation only) has no rollouts."""
    values = {
        "step": step,
        "total_steps": total_steps,
        "epoch": epoch,
        **_rewards(rollouts),
        "response_length_mean": mean(len(rollout.tokens) for rollout in rollouts),
        "actor_entropy": _token_mean((rollout.entropy, rollout) for rollout in rollouts),
        "actor_grad_norm": grad_norm,
        "actor_pg_loss": pg_loss,
        **_advantages(rollouts),
        **_validation(validation or ()),
        "local_also_graded": _also_graded(rollouts),
        "local_validation_also_graded": _also_graded(validation or ()),
        **_group_shares(rollouts),
        **_answers(rollouts),
        **_grader(invocations),
        "local_kl": _token_mean((rollout.kl, rollout) for rollout in rollouts),
        "local_clip_fraction": clip_fraction,
        **_speed(rollouts, seconds),
        "local_peak_memory_mb": peak_memory_mb,
    }
    return {name: value for name, value in values.items() if value is not None}


def _rewards(rollouts: Sequence[Rollout]) -> dict[str, float | None]:
    grades = [float(rollout.grade) for rollout in rollouts]
    return {
        "critic_rewards_mean": mean(grades),
        "critic_rewards_min": min(grades, default=None),
        "critic_rewards_max": max(grades, default=None),
    }


def _token_mean(values: Iterable[tuple[float | None, Rollout]]) -> float | None:
    """Return the mean over all response tokens of what is known per rollout."""
    return weighted_mean(
        (value, len(rollout.tokens)) for value, rollout in values if value is not None
    )


def _advantages(rollouts: Sequence[Rollout]) -> dict[str, float | None]:
    # Every response token carries its answer's advantage: long answers weigh more.
    weighted = [
        (float(rollout.advantage), len(rollout.tokens))
        for rollout in rollouts
        if rollout.advantage is not None and rollout.tokens
    ]
    values = [advantage for advantage, _ in weighted]
    return {
        "critic_advantages_mean": weighted_mean(weighted),
        "critic_advantages_min": min(values, default=None),
        "critic_advantages_max": max(values, default=None),
    }


def _validation(validation: Sequence[Rollout]) -> dict[str, float | None]:
    return {
        "validation_rewards_mean": mean(float(rollout.grade) for rollout in validation),
        "validation_response_length_mean": mean(len(rollout.tokens) for rollout in validation),
    }


def _group_shares(rollouts: Sequence[Rollout]) -> dict[str, float]:
    kinds = Counter(_kind([rollout.grade for rollout in group]) for group in groups(rollouts))
    total = kinds.total()
    names = ("all_right", "all_wrong", "mixed") if total else ()
    return {f"local_groups_{name}": kinds[name] / total for name in names}


def _kind(grades_G: Sequence[float]) -> str:
    if any(grade != grades_G[0] for grade in grades_G):
        return "mixed"
    return "all_right" if grades_G[0] > 0 else "all_wrong"


def _answers(rollouts: Sequence[Rollout]) -> dict[str, Any]:
    means = _component_means(rollouts)
    return {
        "local_rollouts": len(rollouts) or None,
        "local_positive_share": mean(rollout.grade > 0 for rollout in rollouts),
        "local_truncated_share": mean(rollout.stop_reason == "length" for rollout in rollouts),
        "local_parse_failures": _parse_failures(rollouts),
        "local_reward_components": means or None,
    }


def _parse_failures(rollouts: Sequence[Rollout]) -> float | None:
    return mean(value == 0 for rollout in rollouts for value in answers_found(rollout.components))


def answers_found(components: Iterable[Mapping[str, Any]]) -> list[float]:
    """Return what the reward says of whether it found an answer: a Metric of that name."""
    return [c["value"] for c in components if c["name"] == ANSWER_FOUND and c["type"] == "Metric"]


def _also_graded(rollouts: Sequence[Rollout]) -> dict[str, float] | None:
    grades = (grade for each in rollouts for grade in (each.also_graded or {}).items())
    return _means(grades) or None


def _component_means(rollouts: Sequence[Rollout]) -> dict[str, float]:
    return _means((each["name"], each["value"]) for r in rollouts for each in r.components)


def _means(named: Iterable[tuple[str, float]]) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for name, value in named:
        values.setdefault(name, []).append(float(value))
    return {name: sum(listed) / len(listed) for name, listed in values.items()}


def _grader(invocations: Sequence[Timing]) -> dict[str, Any]:
    if not invocations:
        return {}
    durations = [invocation.duration_s for invocation in invocations]
    return {
        "local_grader_latency_p50_s": percentile(durations, 0.50),
        "local_grader_latency_p95_s": percentile(durations, 0.95),
        "local_grader_latency_max_s": max(durations),
        "local_grader_errors": dict(Counter(name for each in invocations for name in each.errors)),
        "local_grader_failed_samples": sum(each.samples for each in invocations if each.errors),
        "local_grader_cold_starts": sum(each.init_s is not None for each in invocations),
    }


def _speed(rollouts: Sequence[Rollout], seconds: Mapping[str, float] | None) -> dict[str, Any]:
    tokens = sum(len(rollout.tokens) for rollout in rollouts) if rollouts else None
    training = _training_seconds(seconds or {})
    return {
        "local_tokens": tokens,
        "local_tokens_per_second": tokens / training if tokens and training > 0 else None,
        "local_seconds": dict(seconds) if seconds else None,
    }


def _training_seconds(seconds: Mapping[str, float]) -> float:
    phases = sum(spent for phase, spent in seconds.items() if phase != "total")
    return seconds.get("total", phases) - seconds.get("validate", 0.0)
