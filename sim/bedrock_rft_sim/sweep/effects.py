"""How far settings lie apart, paired by seed, and how sure that is.

Two settings meet the same prompts and the same seeds, so each seed gives one difference, and the
interval is Student's over those differences. One seed gives no interval. Two or three seeds can
agree by luck, so the spread is never taken to be less than what one validation prompt weighs.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bedrock_rft_sim.stats.student import TAIL, critical, upper_tail
from bedrock_rft_sim.sweep.outcome import PointOutcome
from bedrock_rft_sim.sweep.plan import Changes

ALPHA: Final = 0.05
LEAST_SEEDS: Final = 2
SMALLEST_P: Final = 0.001
"""Assumed: no handful of seeds justifies a smaller number."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A mean difference over seeds, with its 95 % interval."""

    value: float
    low: float | None
    high: float | None
    seeds: int
    higher: int
    """Seeds in which the difference is above 0."""
    p_value: float | None
    """Of "it is not above 0", one-sided and without any allowance; None with one seed."""

    @property
    def text(self) -> str:
        """The difference with its interval, in words; without one where there is none."""
        if self.low is None or self.high is None:
            return f"{self.value:+.3f}"
        return f"{self.value:+.3f} (95 % interval {self.low:+.3f} to {self.high:+.3f})"

    @property
    def is_above(self) -> bool:
        """Whether the whole interval is above 0."""
        return self.low is not None and self.low > 0

    @property
    def is_below(self) -> bool:
        """Whether the whole interval is below 0."""
        return self.high is not None and self.high < 0


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting with its runs."""

    changes: Changes
    outcomes: tuple[PointOutcome, ...]
    refusals: tuple[str, ...] = ()
    """What Bedrock would refuse."""

    @property
    def values(self) -> dict[int, float]:
        """The metric by seed, of the completed runs."""
        return {one.seed: one.value for one in self.outcomes if one.value is not None}

    @property
    def mean(self) -> float | None:
        """Of the completed runs; None where there is none."""
        values = self.values.values()
        return statistics.fmean(values) if values else None

    @property
    def floor(self) -> float:
        """What one validation prompt weighs."""
        return max((one.resolution or 0.0 for one in self.outcomes), default=0.0)


def p_words(p_value: float) -> str:
    """Write a p-value with two digits; a very small one is never written as 0."""
    return f"p {p_value:.2g}" if p_value >= SMALLEST_P else f"p below {SMALLEST_P:g}"


def rows_of(outcomes: Sequence[PointOutcome]) -> list[Setting]:
    """Return the settings in order of first appearance, each with its runs in order of seeds."""
    found: dict[str, list[PointOutcome]] = {}
    for one in outcomes:
        found.setdefault(json.dumps(one.changes), []).append(one)
    groups = (sorted(group, key=lambda one: one.seed) for group in found.values())
    return [Setting(group[0].changes, tuple(group)) for group in groups]


def effect(differences: Sequence[float], *, floor: float) -> Effect | None:
    """Return the mean of differences, one per seed; None where there is none."""
    count = len(differences)
    if count == 0:
        return None
    value = statistics.fmean(differences)
    higher = sum(difference > 0 for difference in differences)
    if count < LEAST_SEEDS:
        return Effect(value, None, None, count, higher, None)
    error = max(statistics.stdev(differences), floor) / math.sqrt(count)
    reach = critical(TAIL, count - 1) * error
    p_value = upper_tail(value / error, count - 1) if error else (0.0 if value > 0 else 1.0)
    return Effect(value, value - reach, value + reach, count, higher, p_value)


def between(row: Setting, other: Setting) -> Effect | None:
    """Return `row` minus `other`, paired by seed."""
    mine, theirs = row.values, other.values
    shared = [seed for seed in mine if seed in theirs]
    floor = max(row.floor, other.floor)
    return effect([mine[seed] - theirs[seed] for seed in shared], floor=floor)


def over_seeds(row: Setting) -> Effect | None:
    """Return the mean of a setting's metric with its interval."""
    return effect(list(row.values.values()), floor=row.floor)


def level_effect(
    rows: Sequence[Setting],
    path: str,
    level: object,
    reference: object,
    *,
    base: Mapping[str, object],
) -> Effect | None:
    """Return what a level of an axis does against another, all other settings alike.

    Where several pairs of settings differ in nothing else, as in a grid, they are averaged within
    each seed.
    """
    differences: dict[int, list[float]] = {}
    floor = 0.0
    at_reference = [row for row in rows if _level(row, path, base) == reference]
    for row in rows:
        if _level(row, path, base) != level:
            continue
        for other in at_reference:
            if _others(row, path) == _others(other, path):
                floor = max(floor, row.floor, other.floor)
                for seed in row.values.keys() & other.values.keys():
                    differences.setdefault(seed, []).append(row.values[seed] - other.values[seed])
    means = [statistics.fmean(differences[seed]) for seed in sorted(differences)]
    return effect(means, floor=floor)


def at_level(
    rows: Sequence[Setting], path: str, level: object, *, base: Mapping[str, object]
) -> list[Setting]:
    """Return the settings that have this value on an axis and differ from others in it alone."""
    return [
        row
        for row in rows
        if _level(row, path, base) == level
        and any(
            _others(row, path) == _others(other, path) and _level(other, path, base) != level
            for other in rows
        )
    ]


def _level(row: Setting, path: str, base: Mapping[str, object]) -> object:
    return row.changes.get(path, base.get(path))


def _others(row: Setting, path: str) -> Changes:
    return {other: value for other, value in row.changes.items() if other != path}
