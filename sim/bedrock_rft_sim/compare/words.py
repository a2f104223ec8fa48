"""From numbers to verdict and reason, in words that a person who ran two jobs understands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bedrock_rft_sim.compare import decide
from bedrock_rft_sim.compare.result import MetricComparison, SideSummary

LEAST_CORRELATION: Final = 0.5
"""Curves that both move and agree less than this in rank do not have the same shape."""
TRAINING_REWARD: Final = "critic_rewards_mean"


def of_metric(
    a: SideSummary,
    b: SideSummary,
    found: Sequence[decide.ShapeDifference],
    *,
    correlation: float | None,
    margin: float,
) -> tuple[decide.ShapeVerdict, str]:
    """Return the verdict on one metric and its reason."""
    moves = "level" not in (a.direction, b.direction)
    agree = correlation is not None and correlation >= LEAST_CORRELATION
    widest = max(difference.largest_not_ruled_out for difference in found)
    if decide.is_same(found) and (agree or not moves):
        return "same shape", f"the true difference is at most {widest:.2f} (limit {margin:g})"
    if sure := decide.surely_apart(found):
        return "different", f"{_apart(a, b)}: beyond chance in {' and '.join(sure)}"
    points = min(a.points, b.points)
    if points < decide.LEAST_POINTS:
        doubt = f"{points} points, and fewer than {decide.LEAST_POINTS} never show the same shape"
    elif a.runs == b.runs == 1:
        doubt = "one run a side never shows the same shape: run more seeds"
    elif min(a.runs, b.runs) == 1 and max(a.runs, b.runs) < decide.LEAST_SEEDS:
        doubt = f"one run against {max(a.runs, b.runs)}: {decide.LEAST_SEEDS} seeds are needed"
    elif decide.is_same(found):
        known = "unknown, one is flat" if correlation is None else f"{correlation:.2f}"
        doubt = f"ends agree, but the smoothed curves' rank correlation is {known}"
    else:
        limit = f"(limit {margin:g}): run more seeds"
        doubt = f"the true difference may be as large as {widest:.2f} {limit}"
    return "cannot tell", doubt


def _apart(a: SideSummary, b: SideSummary) -> str:
    if a.direction != b.direction:
        return f"A is {a.direction}, B {b.direction}"
    return f"both {a.direction}, not alike"


def in_all(found: Sequence[MetricComparison], *, margin: float) -> tuple[decide.ShapeVerdict, str]:
    """Return the verdict on the whole comparison and its reason.

    Different if any metric is. Same if the training rewards are and so is every other metric with
    points enough to say so. Else nobody can tell.
    """
    rewards = next((one for one in found if one.metric == TRAINING_REWARD), None)
    if different := [one.title for one in found if one.verdict == "different"]:
        known = rewards is not None and rewards.title not in different
        also = f" {rewards.title}: {rewards.verdict}." if rewards and known else ""
        return "different", f"Different: {', '.join(different)}.{also}"
    judged = [one for one in found if one.differences and _points(one) >= decide.LEAST_POINTS]
    same = [one.title for one in judged if one.verdict == "same shape"]
    if rewards is not None and rewards.title in same and len(same) == len(judged):
        left = [one.title for one in found if one not in judged and (one.a or one.b)]
        rest = f" Not judged: {', '.join(left)}." if left else ""
        return "same shape", f"Same shape within {margin:g}: {', '.join(same)}.{rest}"
    doubtful = rewards if rewards is not None and rewards.verdict == "cannot tell" else None
    first = doubtful or next((one for one in judged if one.verdict == "cannot tell"), found[0])
    agreed = f" Same so far: {', '.join(same)}." if same else ""
    return "cannot tell", f"Cannot tell. {first.title}: {first.words}.{agreed}"


def _points(one: MetricComparison) -> int:
    return min((side.points for side in (one.a, one.b) if side), default=0)
