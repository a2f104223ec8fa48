"""From numbers to verdict and reason, in words that a person who ran two jobs understands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from bedrock_rft_sim.compare.decide import (
    LEAST_POINTS,
    LEAST_POINTS_AT_ALL,
    LEAST_SEEDS,
    Difference,
    Verdict,
    is_same,
    surely_apart,
)
from bedrock_rft_sim.compare.result import MetricComparison, Side

LEAST_CORRELATION: Final = 0.5
"""Curves that both move and agree less than this in rank do not have the same shape."""
TRAINING_REWARD: Final = "critic_rewards_mean"


def why_not(
    case: Literal["missing", "points", "room"],
    *,
    a: bool = True,
    b: bool = True,
    points: int = 0,
    is_reward: bool = False,
) -> str:
    """Return why a metric can't be judged at all."""
    if case == "missing":
        return "neither side has it" if not a and not b else f"only {'A' if a else 'B'} has it"
    if case == "points":
        return f"{points} points in common, and under {LEAST_POINTS_AT_ALL} show no shape"
    return (
        "the reward begins at its top, so there is nothing to gain"
        if is_reward
        else "it begins at 0, so there is no relative change"
    )


def of_metric(
    a: Side | None,
    b: Side | None,
    found: Sequence[Difference],
    adjusted: Sequence[float],
    *,
    correlation: float | None,
    margin: float,
) -> tuple[Verdict, str]:
    """Return the verdict on one metric and its reason."""
    assert a is not None
    assert b is not None
    moves = "level" not in (a.direction, b.direction)
    agree = correlation is not None and correlation >= LEAST_CORRELATION
    if is_same(found) and (agree or not moves):
        widest = max(difference.possible for difference in found)
        return "same shape", f"no difference above {widest:.2f} is left open, and {margin:g} counts"
    sure = surely_apart(found, adjusted)
    if sure:
        return "different", f"{_apart(a, b)}: beyond chance in {' and '.join(sure)}"
    return "cannot tell", _doubt(a, b, found, correlation, margin)


def _apart(a: Side, b: Side) -> str:
    if a.direction != b.direction:
        return f"A is {a.direction}, B {b.direction}"
    return f"both {a.direction}, not alike"


def _doubt(
    a: Side, b: Side, found: Sequence[Difference], correlation: float | None, margin: float
) -> str:
    points = min(a.points, b.points)
    if points < LEAST_POINTS:
        return f"{points} points, and fewer than {LEAST_POINTS} never show the same shape"
    if a.runs == b.runs == 1:
        return "one run a side never shows the same shape: add seeds"
    if 1 in (a.runs, b.runs) and max(a.runs, b.runs) < LEAST_SEEDS:
        return f"one run against {max(a.runs, b.runs)}: {LEAST_SEEDS} seeds are needed"
    if is_same(found):
        known = "unknown: one is flat" if correlation is None else f"{correlation:.2f}"
        return f"ends agree, but the smoothed curves' rank correlation is {known}"
    widest = max(difference.possible for difference in found)
    return f"a difference of {widest:.2f} is left open, and {margin:g} would count: add seeds"


def in_all(found: Sequence[MetricComparison], *, margin: float) -> tuple[Verdict, str]:
    """Return the verdict on the whole comparison and its reason.

    Different if any metric is. Same if the training rewards are and so is every other metric with
    points enough to say so. Else nobody can tell.
    """
    rewards = next((one for one in found if one.metric == TRAINING_REWARD), None)
    different = [one.title for one in found if one.verdict == "different"]
    if different:
        known = rewards is not None and rewards.title not in different
        also = f" {rewards.title}: {rewards.verdict}." if rewards and known else ""
        return "different", f"Different: {', '.join(different)}.{also}"
    judged = [one for one in found if _could_be_same(one)]
    same = [one.title for one in judged if one.verdict == "same shape"]
    open_ = [one.title for one in judged if one.verdict != "same shape"]
    if rewards is not None and rewards.title in same and not open_:
        left = [one.title for one in found if one not in judged and (one.a or one.b)]
        rest = f" Not judged: {', '.join(left)}." if left else ""
        return "same shape", f"Same shape within {margin:g}: {', '.join(same)}.{rest}"
    doubtful = rewards if rewards is not None and rewards.verdict == "cannot tell" else None
    first = doubtful or next((one for one in judged if one.verdict == "cannot tell"), found[0])
    agreed = f" Same so far: {', '.join(same)}." if same else ""
    return "cannot tell", f"Cannot tell. {first.title}: {first.words}.{agreed}"


def _could_be_same(one: MetricComparison) -> bool:
    return (
        bool(one.differences)
        and one.a is not None
        and one.b is not None
        and min(one.a.points, one.b.points) >= LEAST_POINTS
    )
