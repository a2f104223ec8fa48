"""What each axis does, level by level and in words: its direction, where it collapses, where flat.

For a search, whose trials differ in everything at once, only the order of the values is held
against the order of the results.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sim.compare.student import two_sided
from sim.dialects.finding import Plain
from sim.sweep.behaviour import Behaviour, behaviour
from sim.sweep.effects import Effect, Row, at_level, level_effect
from sim.sweep.file import Axis
from sim.sweep.settings import plain

LEAST_TRIALS = 5
"""Assumed: with fewer finished trials a rank correlation says nothing."""
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Level:
    """One value of an axis."""

    value: Plain
    is_base: bool
    """Whether the base recipe has this value."""
    effect: Effect | None
    """Against the base recipe's value, or the first listed one where that was not run."""
    behaviour: Behaviour


@dataclass(frozen=True, slots=True)
class AxisFinding:
    """One axis."""

    path: str
    name: str
    levels: tuple[Level, ...]
    """Empty for a search."""
    words: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return {
            "path": self.path,
            "levels": [
                {
                    "value": level.value,
                    "is_base": level.is_base,
                    "effect": level.effect and level.effect.as_json(),
                    "behaviour": level.behaviour.kind,
                    "says": level.behaviour.words,
                }
                for level in self.levels
            ],
            "words": list(self.words),
        }


def find_axis(axis: Axis, rows: Sequence[Row], base: Mapping[str, Plain]) -> AxisFinding:
    """Return what the levels of an axis do, where settings differ by single levels."""
    values = _levels(axis, rows, base)
    there = [value for value in values if at_level(rows, axis.path, value, base=base)]
    own = base.get(axis.path)
    reference = own if own in there else (there[0] if there else None)
    levels = tuple(
        Level(
            value,
            is_base=value == own,
            effect=None
            if value == reference
            else level_effect(rows, axis.path, value, reference, base=base),
            behaviour=behaviour(at_level(rows, axis.path, value, base=base)),
        )
        for value in there
    )
    words = [
        f"{named(level)}: {level.behaviour.kind} ({level.behaviour.words})" for level in levels
    ]
    for low, high in itertools.pairwise(there):
        found = level_effect(rows, axis.path, high, low, base=base)
        words.append(f"from {plain(low)} to {plain(high)}: {direction(found)}")
    return AxisFinding(axis.path, axis.name, levels, tuple(words))


def named(level: Level) -> str:
    """Write a level's value, and whether it is the base recipe's."""
    value = "left out" if level.value is None else plain(level.value)
    return f"{value} (base)" if level.is_base else value


def direction(found: Effect | None) -> str:
    """Say whether an effect helps, hurts, or can't be told."""
    if found is None:
        return "cannot tell, no seed was completed on both sides"
    if found.low is None or found.high is None:
        return f"{found.value:+.3f}, and with one seed nobody can tell how sure that is"
    told = f"{found.value:+.3f} (95 % interval {found.low:+.3f} to {found.high:+.3f})"
    if found.low > 0:
        return f"helps, {told}"
    if found.high < 0:
        return f"hurts, {told}"
    return f"cannot tell, {told}; higher in {found.higher} of {found.seeds} seeds"


def find_search_axis(axis: Axis, rows: Sequence[Row], base: Mapping[str, Plain]) -> AxisFinding:
    """Return how the results of a search's trials go with the values of an axis."""
    pairs: list[tuple[float, float]] = []
    for row in rows:
        value = row.changes.get(axis.path, base.get(axis.path))
        if row.mean is not None and value is not None and _is_number(value):
            pairs.append((float(value), row.mean))
    return AxisFinding(axis.path, axis.name, (), (_correlation(pairs),))


def _correlation(pairs: Sequence[tuple[float, float]]) -> str:
    if len(pairs) < LEAST_TRIALS:
        return f"cannot tell: {len(pairs)} finished trials with a number, {LEAST_TRIALS} are needed"
    import numpy as np

    from sim.compare.ranks import spearman

    x, y = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    rho = float(spearman(x, y))
    degrees = len(pairs) - 2
    rest = 1 - rho * rho
    chance = two_sided(rho * math.sqrt(degrees / rest), degrees) if rest > 0 else 0.0
    told = f"rank correlation {rho:+.2f} over {len(pairs)} settings, p {chance:.2g}"
    if chance >= ALPHA:
        return f"cannot tell which direction helps ({told})"
    return f"{'higher' if rho > 0 else 'lower'} values did better ({told})"


def _levels(axis: Axis, rows: Sequence[Row], base: Mapping[str, Plain]) -> list[Plain]:
    own = base.get(axis.path)
    values = list(axis.ends)
    if own not in values and at_level(rows, axis.path, own, base=base):
        values.append(own)
    if all(_is_number(value) for value in values):
        values.sort()
    return values


def _is_number(value: Plain) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
