"""What a comparison found, as data.

The words in it are the reasons a person reads; everything they rest on stands beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bedrock_rft_sim.compare.axis import Axis
from bedrock_rft_sim.compare.decide import ALPHA, ShapeDifference, ShapeVerdict
from bedrock_rft_sim.compare.needed import Needed
from bedrock_rft_sim.compare.resample import Resampled


@dataclass(frozen=True)
class SideSummary:
    """One group's curve of one metric in numbers, means over its runs."""

    runs: int
    points: int
    """Of the shortest curve, within the compared range."""
    start: float
    end: float
    gain: float | None = None
    """None where the curves are too short to be judged or there is no room to gain."""
    area: float | None = None
    unrest: float | None = None
    direction: str | None = None
    """rising, falling, or level: no movement that the noise could not have made."""
    plateau: float | None = None
    """Share of the range after which the smoothed mean keeps 90 % of its way; None if level."""


@dataclass(frozen=True)
class MetricComparison:
    """One metric of two groups, compared."""

    metric: str
    title: str
    verdict: ShapeVerdict
    words: str
    a: SideSummary | None
    """None where the group has no such series."""
    b: SideSummary | None
    differences: tuple[ShapeDifference, ...]
    bootstrap: Resampled | None
    needed: Needed | None = None
    """What it would take to know; None where it is known, or for other metrics than the training
    rewards."""

    @property
    def decisive(self) -> ShapeDifference | None:
        """Return what the verdict rests on; None where nothing was tested.

        Of *different* what is least by chance, else what may differ most.
        """
        if self.verdict == "different":
            apart = [each for each in self.differences if each.p_same > ALPHA]
            return min(apart, key=lambda each: each.p_different_adjusted)
        return max(self.differences, key=lambda each: each.largest_not_ruled_out, default=None)

    def as_json(self) -> dict[str, Any]:
        """Return plain data; what is unknown or infinite is None."""
        found = {each.measure: each.as_json() for each in self.differences}
        decisive = self.decisive and self.decisive.measure
        return asdict(self) | {"differences": found, "decisive": decisive}


@dataclass(frozen=True)
class Comparison:
    """Two groups of runs, compared."""

    verdict: ShapeVerdict
    words: str
    a: tuple[str, ...]
    b: tuple[str, ...]
    axis: Axis
    margin: float
    top_reward: float
    """The greatest possible reward: given, or 1."""
    metrics: tuple[MetricComparison, ...]
    notes: tuple[str, ...]
    unknown: Mapping[str, tuple[str, ...]]
    """By source: the series that no name here is known for, so that they are not compared."""

    @property
    def known(self) -> list[MetricComparison]:
        """Return the metrics that at least one side has."""
        return [one for one in self.metrics if one.a is not None or one.b is not None]

    def as_json(self) -> dict[str, Any]:
        """Return plain data; what is unknown or infinite is None."""
        return asdict(self) | {"metrics": [each.as_json() for each in self.metrics]}
