"""From numbers to verdict and reason, in words that a person who ran two jobs understands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bedrock_rft_sim.compare import decide, summary
from bedrock_rft_sim.compare.result import MetricComparison, SideSummary
from bedrock_rft_sim.stats.student import Array

LEAST_CORRELATION: Final = 0.5
"""Curves that both move and agree less than this in rank do not have the same shape."""
TRAINING_REWARD: Final = "critic_rewards_mean"


def meanings(top: float) -> dict[decide.Measure, str]:
    """Return what each number is, for a reward of this greatest value."""
    return {
        "gain": f"the share of the room above the start that was won, (end - start) / "
        f"({top:g} - start); of lengths and entropy (end - start) / start; start and end are the "
        f"means of the first and the last {100 * summary.WINDOW:g} % of the compared range",
        "area": "the same with the mean of the whole range in place of the end",
        "unrest": "how far the steps stray from the nearest curve that only rises or only falls, "
        "as a share of the same room",
    }


def of_metric(
    a: SideSummary,
    b: SideSummary,
    tests: decide.ShapeTests,
    adjusted: Array,
    *,
    correlation: float | None,
    margin: float,
) -> tuple[decide.ShapeVerdict, str]:
    """Return the verdict on one metric and its reason; the tests are of one comparison, (M,)."""
    moves = "level" not in (a.direction, b.direction)
    agree = correlation is not None and correlation >= LEAST_CORRELATION
    widest = tests.largest_not_ruled_out.max()
    is_same = bool(decide.is_same(tests))
    if is_same and (agree or not moves):
        return "same shape", f"the true difference is at most {widest:.2f} (limit {margin:g})"
    found = zip(decide.MEASURES, decide.apart(tests, adjusted), strict=True)
    if sure := [measure for measure, is_apart in found if is_apart]:
        even = "" if max(a.runs, b.runs) >= decide.LEAST_SEEDS else f", {_EVEN_IF}"
        return "different", f"{_apart(a, b, sure)}: beyond chance in {' and '.join(sure)}{even}"
    points = min(a.points, b.points)
    if points < decide.LEAST_POINTS:
        doubt = f"{points} points, and fewer than {decide.LEAST_POINTS} never show the same shape"
    elif a.runs == b.runs == 1:
        doubt = f"1 run a side can't show how far seeds lie apart (it may be {_SPREAD})"
    elif not decide.may_be_same(a.runs, b.runs):
        doubt = f"one run against {max(a.runs, b.runs)}: {decide.LEAST_SEEDS} seeds are needed"
    elif is_same:
        known = "unknown, one is flat" if correlation is None else f"{correlation:.2f}"
        doubt = f"ends agree, but the smoothed curves' rank correlation is {known}"
    else:
        measure = decide.MEASURES[int(tests.largest_not_ruled_out.argmax())]
        doubt = f"the true difference in {measure} may be as large as {widest:.2f}"
        doubt += f" (limit {margin:g})"
    return "cannot tell", doubt


_SPREAD: Final = f"{decide.PLAUSIBLE_SEED_SPREAD:.2f}"
_EVEN_IF: Final = f"even if seeds vary by {_SPREAD}"


def _apart(a: SideSummary, b: SideSummary, measures: Sequence[str]) -> str:
    if measures == ["unrest"]:
        return f"{'B' if (b.unrest or 0) > (a.unrest or 0) else 'A'} swings more"
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
