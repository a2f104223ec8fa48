"""What a run's steps would have carried to the trainer, had another reward graded the same answers.

The answers stay those that the run sampled: another reward would soon have led to other answers, so
only the first step is what would really have happened. Advantages on record are the run's own; the
new ones come from the same formula, `bedrock_rft_sim.runs.rollouts.group_advantages`, and the group
shares from `bedrock_rft_sim.runs.metrics`.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bedrock_rft_sim.data.plan import Split
from bedrock_rft_sim.runs.metrics import step_metrics
from bedrock_rft_sim.runs.rollouts import Rollout, group_advantages, groups
from bedrock_rft_sim.stats.shares import mean, weighted_mean

SHARES = ("mixed", "all_right", "all_wrong")


@dataclass(frozen=True)
class Side:
    """One step under one reward; shares are of the step's groups."""

    reward_mean: float
    mixed: float
    all_right: float
    all_wrong: float

    @property
    def zero_variance(self) -> float:
        """Share of groups whose grades are all equal, so that every advantage is 0."""
        return self.all_right + self.all_wrong


@dataclass(frozen=True)
class StepChange:
    """One training step on record and graded again.

    A group in which an answer has no new score is left out on both sides.
    """

    step: int
    groups: int
    groups_left_out: int
    rollouts: int
    recorded: Side | None
    """None where every group was left out, like all that follows."""
    new: Side | None
    advantage_change: float | None
    """Mean absolute difference of the advantages, over rollouts."""
    flipped_share: float | None
    """Share of rollouts that were pushed one way and would have been pushed the other."""


@dataclass(frozen=True)
class ValidationChange:
    """One validation on record and graded again; only answers with a new score count."""

    step: int
    answers: int
    recorded_mean: float | None
    new_mean: float | None


class Replay:
    """A run under another reward, growing step by step."""

    def __init__(self, reward: str) -> None:
        self.reward = reward
        self.steps: list[StepChange] = []
        self.validations: list[ValidationChange] = []

    def add(
        self, split: Split, rollouts: Sequence[Rollout], scores: Sequence[float | None]
    ) -> None:
        """Take in one step or validation; `scores` are in the order of the rollouts."""
        if split == "train":
            self.steps.append(step_change(rollouts, scores))
        else:
            self.validations.append(validation_change(rollouts, scores))

    def as_json(self) -> dict[str, Any]:
        """Return every step and the whole, JSON-ready."""
        return {
            "reward": self.reward,
            "overall": _overall(self.steps),
            "steps": [_step_json(step) for step in self.steps],
            "validations": [dataclasses.asdict(each) for each in self.validations],
        }


def step_change(rollouts: Sequence[Rollout], scores: Sequence[float | None]) -> StepChange:
    """Return what one step's new scores change; `scores` are in the order of the rollouts."""
    score_of = {id(rollout): score for rollout, score in zip(rollouts, scores, strict=True)}
    found = groups(rollouts)
    scored = [
        (group, known) for group in found if (known := _all_known(group, score_of)) is not None
    ]
    advantages_P_G = group_advantages([scores_G for _, scores_G in scored])
    old = [rollout for group, _ in scored for rollout in group]
    new = [
        dataclasses.replace(rollout, grade=score, advantage=advantage)
        for (group, scores_G), advantages_G in zip(scored, advantages_P_G, strict=True)
        for rollout, score, advantage in zip(group, scores_G, advantages_G, strict=True)
    ]
    pairs = [
        (before.advantage, after.advantage)
        for before, after in zip(old, new, strict=True)
        if before.advantage is not None and after.advantage is not None
    ]
    return StepChange(
        step=rollouts[0].step,
        groups=len(scored),
        groups_left_out=len(found) - len(scored),
        rollouts=len(old),
        recorded=_side(old),
        new=_side(new),
        advantage_change=mean([abs(after - before) for before, after in pairs]),
        flipped_share=mean([before < 0 < after or after < 0 < before for before, after in pairs]),
    )


def validation_change(
    rollouts: Sequence[Rollout], scores: Sequence[float | None]
) -> ValidationChange:
    """Return what one validation's new scores change."""
    pairs = [
        (float(rollout.grade), score)
        for rollout, score in zip(rollouts, scores, strict=True)
        if score is not None
    ]
    return ValidationChange(
        step=rollouts[0].step,
        answers=len(pairs),
        recorded_mean=mean([before for before, _ in pairs]),
        new_mean=mean([after for _, after in pairs]),
    )


def _all_known(
    group: Sequence[Rollout], score_of: Mapping[int, float | None]
) -> list[float] | None:
    scores = [score_of[id(rollout)] for rollout in group]
    known = [score for score in scores if score is not None]
    return known if len(known) == len(scores) else None


def _side(rollouts: Sequence[Rollout]) -> Side | None:
    if not rollouts:
        return None
    step = rollouts[0].step
    values = step_metrics(rollouts, step=step, total_steps=step)
    shares = {name: values[f"local_groups_{name}"] for name in SHARES}
    return Side(values["critic_rewards_mean"], **shares)


def _step_json(step: StepChange) -> dict[str, Any]:
    sides = {"recorded": step.recorded, "new": step.new}
    return dataclasses.asdict(step) | {
        name: None
        if side is None
        else dataclasses.asdict(side) | {"zero_variance": side.zero_variance}
        for name, side in sides.items()
    }


def _overall(steps: Sequence[StepChange]) -> dict[str, Any]:
    """Return the means over all steps: of rewards and advantages by rollout, of shares by group."""
    return {
        "groups": sum(step.groups for step in steps),
        "groups_left_out": sum(step.groups_left_out for step in steps),
        "rollouts": sum(step.rollouts for step in steps),
        "recorded": _mean_side(steps, "recorded"),
        "new": _mean_side(steps, "new"),
        "advantage_change": _by_weight(steps, "rollouts", "advantage_change"),
        "flipped_share": _by_weight(steps, "rollouts", "flipped_share"),
    }


def _mean_side(steps: Sequence[StepChange], side: str) -> dict[str, float | None]:
    shares = (*SHARES, "zero_variance")
    return {
        "reward_mean": _by_weight(steps, "rollouts", f"{side}.reward_mean"),
        **{share: _by_weight(steps, "groups", f"{side}.{share}") for share in shares},
    }


def _by_weight(steps: Sequence[StepChange], weight: str, name: str) -> float | None:
    """Return the mean of an attribute, over the steps that have it."""
    value = operator.attrgetter(name)
    found = ((value(step), getattr(step, weight)) for step in steps if step.recorded is not None)
    return weighted_mean(pair for pair in found if pair[0] is not None)
