"""Put curves on one axis: prompts seen, or the share of the run that is done.

A step of one run and a step of another need not hold the same number of prompts, so steps are
never compared with steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from bedrock_rft_sim.compare.series import Curves
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.stats.student import Array

Axis = Literal["prompts", "share"]
LABELS: Mapping[Axis, str] = {"prompts": "prompts seen", "share": "share of the run"}

MOST_POINTS: Final = 500
"""Points of a curve that are worked with; a longer one is averaged down to them."""


@dataclass(frozen=True)
class PlacedSeries:
    """One metric of one run on the common axis."""

    x: Array
    """Positions, (n,), strictly rising."""
    y: Array
    """Values, (n,)."""


def choose(groups: Sequence[Sequence[Curves]], wanted: Axis | None) -> Axis:
    """Return the wanted axis, else prompts where every source knows its prompts per step.

    Raises:
        DataError: prompts are wanted and a source does not know them.
    """
    unknown = [run for group in groups for run in group if run.prompts_per_step is None]
    if wanted == "prompts" and unknown:
        raise DataError(
            "does not say how many prompts a step holds",
            where=unknown[0].source,
            expected="prompts per step, for the axis of prompts seen",
            found="steps only",
            hint="give the job's batch size by --batch-size, or take --axis share",
        )
    return wanted or ("share" if unknown else "prompts")


def end_of(run: Curves) -> int:
    """Return the last step of the whole run: as planned, or as seen where no plan is known."""
    return max(run.total_steps or 0, run.last_step)


def place(run: Curves, metric: str, axis: Axis) -> PlacedSeries | None:
    """Return the run's values of the metric on the axis, or None if it has none."""
    curve = run.series.get(metric)
    if curve is None:
        return None
    steps = np.asarray(curve.steps, float)
    return PlacedSeries(steps * step_width(run, axis), np.asarray(curve.values, float))


def step_width(run: Curves, axis: Axis) -> float:
    """Return how far one step goes on the axis."""
    return (run.prompts_per_step or 1) if axis == "prompts" else 1 / max(1, end_of(run))


def common_range(series: Sequence[PlacedSeries]) -> tuple[float, float]:
    """Return the part of the axis that every series covers; empty if the second is not above."""
    return max(float(one.x[0]) for one in series), min(float(one.x[-1]) for one in series)


def thin(series: PlacedSeries) -> PlacedSeries:
    """Return means of neighbouring points, so that at most `MOST_POINTS` are left."""
    width = -(-len(series.x) // MOST_POINTS)
    if width == 1:
        return series
    edges = np.arange(0, len(series.x), width)
    sizes = np.diff([*edges, len(series.x)])
    return PlacedSeries(*(np.add.reduceat(each, edges) / sizes for each in (series.x, series.y)))


def cut(series: PlacedSeries, low: float, high: float) -> PlacedSeries:
    """Return the part of the series within the range, its ends included."""
    slack = 1e-9 * max(1.0, abs(high))
    inside = (series.x >= low - slack) & (series.x <= high + slack)
    return PlacedSeries(series.x[inside], series.y[inside])
