"""What a comparison found, as data.

The words in it are the reasons a person reads; everything they rest on stands beside them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bedrock_rft_sim.compare.axis import Axis
from bedrock_rft_sim.compare.decide import Difference, Verdict
from bedrock_rft_sim.compare.resample import Resampled
from bedrock_rft_sim.stats.bootstrap import BootstrapInterval


@dataclass(frozen=True)
class Side:
    """One group's curve of one metric in numbers, means over its runs."""

    runs: int
    points: int
    """Of the shortest curve, within the compared range."""
    start: float
    end: float
    gain: float | None
    """None where there is no room to gain."""
    area: float | None
    direction: str | None
    """rising, falling, or level: no movement that the noise could not have made."""
    plateau: float | None
    """Share of the range after which the smoothed mean keeps 90 % of its way; None if level."""


@dataclass(frozen=True)
class MetricComparison:
    """One metric of two groups, held against each other."""

    metric: str
    title: str
    verdict: Verdict
    words: str
    a: Side | None
    """None where the group has no such series."""
    b: Side | None
    differences: tuple[Difference, ...] = ()
    p_adjusted: tuple[float, ...] = ()
    """`p_different` of each difference, adjusted by Holm's method over the whole comparison."""
    resampled: Resampled | None = None


@dataclass(frozen=True)
class Comparison:
    """Two groups of runs, held against each other."""

    a: tuple[str, ...]
    b: tuple[str, ...]
    axis: Axis
    verdict: Verdict
    words: str
    margin: float
    top: float
    """The greatest possible reward, as far as the curves or the user told."""
    metrics: tuple[MetricComparison, ...]
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return plain data; what is unknown or infinite is None."""
        return {
            "verdict": self.verdict,
            "words": self.words,
            "a": list(self.a),
            "b": list(self.b),
            "axis": self.axis,
            "margin": self.margin,
            "top_reward": self.top,
            "metrics": [_metric(found) for found in self.metrics],
            "notes": list(self.notes),
        }


def _metric(found: MetricComparison) -> dict[str, Any]:
    return {
        "metric": found.metric,
        "title": found.title,
        "verdict": found.verdict,
        "words": found.words,
        "a": _side(found.a),
        "b": _side(found.b),
        "differences": {
            difference.measure: _difference(difference, adjusted)
            for difference, adjusted in zip(found.differences, found.p_adjusted, strict=True)
        },
        "bootstrap": _resampled(found.resampled),
    }


def _side(side: Side | None) -> dict[str, Any] | None:
    if side is None:
        return None
    return {
        "runs": side.runs,
        "points": side.points,
        "start": side.start,
        "end": side.end,
        "gain": side.gain,
        "area": side.area,
        "direction": side.direction,
        "plateau": side.plateau,
    }


def _difference(difference: Difference, adjusted: float) -> dict[str, Any]:
    low, high = difference.interval
    return {
        "a": difference.a,
        "b": difference.b,
        "b_minus_a": difference.value,
        "low": low,
        "high": high,
        "standard_error": difference.standard_error,
        "degrees_of_freedom": difference.degrees if math.isfinite(difference.degrees) else None,
        "p_different": difference.p_different,
        "p_different_adjusted": adjusted,
        "p_same": difference.p_same,
        "largest_not_ruled_out": difference.possible,
        "may_be_same": difference.may_be_same,
    }


def _resampled(found: Resampled | None) -> dict[str, Any] | None:
    if found is None:
        return None
    estimates: Mapping[str, BootstrapInterval] = {
        "gain": found.gain,
        "area": found.area,
        "rank_correlation": found.correlation,
        "probability_of_improvement": found.improvement,
    }
    return {name: asdict(each) for name, each in estimates.items()}
