"""What each axis does, level by level and in words: its direction, where it collapses, where flat.

Each step from one value to the next is judged by itself, by the interval that stands beside it: an
allowance for several would contradict that interval, so its absence is said instead.
For a search, whose trials differ in everything at once, only the order of the values is compared
with the order of the results.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bedrock_rft_sim.diagnosis import Finding
from bedrock_rft_sim.diagnosis.sweep import diagnose_setting
from bedrock_rft_sim.recipe.wording import Plain
from bedrock_rft_sim.runs.metrics import is_number
from bedrock_rft_sim.stats.ranks import permutation_p, spearman
from bedrock_rft_sim.sweep.effects import ALPHA, Effect, Setting, at_level, level_effect, p_words
from bedrock_rft_sim.sweep.file import Axis
from bedrock_rft_sim.sweep.plan import plain

LEAST_TRIALS = 5
"""Assumed: with fewer finished trials a rank correlation says nothing."""
UNADJUSTED = "each step is judged by itself, with no allowance for several"
ADAPTIVE = "a guide only: the search chose its points by earlier results"


@dataclass(frozen=True, slots=True)
class Level:
    """One value of an axis."""

    value: Plain
    is_base: bool
    """Whether the base recipe has this value."""
    effect: Effect | None
    """Against the base recipe's value, or the first listed one where that was not run."""
    behaviour: Finding


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
        levels = [
            {**asdict(level), "behaviour": level.behaviour.rule, "says": level.behaviour.says}
            for level in self.levels
        ]
        return {"path": self.path, "levels": levels, "words": list(self.words)}


def find_axis(axis: Axis, rows: Sequence[Setting], base: Mapping[str, Plain]) -> AxisFinding:
    """Return what the levels of an axis do, where settings differ by single levels."""
    there = _levels(axis, rows, base)
    values = [value for value, _ in there]
    own = base.get(axis.path)
    reference = own if own in values else (values[0] if values else None)
    levels = tuple(
        Level(
            value,
            is_base=value == own,
            effect=None
            if value == reference
            else level_effect(rows, axis.path, value, reference, base=base),
            behaviour=diagnose_setting([one for row in settings for one in row.outcomes]),
        )
        for value, settings in there
    )
    words = [f"{named(level)}: {level.behaviour.rule} ({level.behaviour.says})" for level in levels]
    steps = list(itertools.pairwise(values))
    effects = [level_effect(rows, axis.path, high, low, base=base) for low, high in steps]
    for (low, high), step in zip(steps, effects, strict=True):
        words.append(f"from {plain(low)} to {plain(high)}: {direction(step)}")
    if any(step is not None and step.low is not None for step in effects):
        words.append(UNADJUSTED)
    return AxisFinding(axis.path, axis.name, levels, tuple(words))


def named(level: Level) -> str:
    """Write a level's value, and whether it is the base recipe's."""
    value = "left out" if level.value is None else plain(level.value)
    return f"{value} (base)" if level.is_base else value


def direction(found: Effect | None) -> str:
    """Say whether an effect helps or hurts, or that neither is known."""
    if found is None:
        return "cannot tell, no seed was completed on both sides"
    if found.low is None:
        return f"{found.text}, and one seed gives no confidence interval"
    if found.is_above:
        return f"helps, {found.text}"
    if found.is_below:
        return f"hurts, {found.text}"
    return f"cannot tell, {found.text}; higher in {found.higher} of {found.seeds} seeds"


def find_search_axis(axis: Axis, rows: Sequence[Setting], base: Mapping[str, Plain]) -> AxisFinding:
    """Return how the results of a search's trials go with the values of an axis."""
    pairs: list[tuple[float, float]] = []
    for row in rows:
        value = row.changes.get(axis.path, base.get(axis.path))
        if row.mean is not None and is_number(value):
            pairs.append((float(value), row.mean))
    return AxisFinding(axis.path, axis.name, (), (_correlation(pairs),))


def _correlation(pairs: Sequence[tuple[float, float]]) -> str:
    if len(pairs) < LEAST_TRIALS:
        return f"cannot tell: {len(pairs)} finished trials with a number, {LEAST_TRIALS} are needed"
    values, means = zip(*pairs, strict=True)
    rho, p_value = spearman(values, means), permutation_p(values, means)
    if rho is None or p_value is None:
        return f"cannot tell: the values or the results of all {len(pairs)} settings are the same"
    found = (
        f"rank correlation {rho:+.2f} over {len(pairs)} settings, {p_words(p_value)}, {ADAPTIVE}"
    )
    if p_value >= ALPHA:
        return f"cannot tell which direction helps ({found})"
    return f"{'higher' if rho > 0 else 'lower'} values did better ({found})"


def _levels(
    axis: Axis, rows: Sequence[Setting], base: Mapping[str, Plain]
) -> list[tuple[Plain, list[Setting]]]:
    """Return the values that were run, each with its settings; numbers in order."""
    own = base.get(axis.path)
    values = axis.ends if own in axis.ends else (*axis.ends, own)
    found = [(value, at_level(rows, axis.path, value, base=base)) for value in values]
    there = [(value, settings) for value, settings in found if settings]
    if all(is_number(value) for value, _ in there):
        there.sort(key=lambda pair: pair[0])
    return there
