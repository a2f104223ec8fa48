"""Which setting is best, and how sure that is.

The best of many was chosen on the very numbers it is praised with, so its p-value against the
centre is multiplied by how many it was chosen from (Bonferroni). Against the runner-up no such
allowance is made. With one seed nothing is sure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sim.sweep.effects import Effect, Row, between
from sim.sweep.settings import described_changes

SURE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best setting that Bedrock would take, and what it is held against."""

    best: Row
    is_centre: bool
    over_centre: Effect | None
    better_than_centre: float | None
    """Probability, after allowing for the choice; None where it can't be told."""
    runner_up: Row | None
    over_runner_up: Effect | None
    better_than_runner_up: float | None
    refused_above: Row | None
    """A better setting that Bedrock would refuse; None where there is none."""
    words: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return {
            "best": self.best.changes,
            "is_centre": self.is_centre,
            "over_centre": self.over_centre and self.over_centre.as_json(),
            "probability_better_than_centre": self.better_than_centre,
            "runner_up": self.runner_up.changes if self.runner_up else None,
            "over_runner_up": self.over_runner_up and self.over_runner_up.as_json(),
            "probability_better_than_runner_up": self.better_than_runner_up,
            "better_but_refused_by_bedrock": (
                self.refused_above.changes if self.refused_above else None
            ),
            "words": list(self.words),
        }


def rank(rows: Sequence[Row], *, is_legal: Callable[[Row], bool]) -> Ranking | None:
    """Rank the settings that completed with as many seeds as any; None where none did."""
    most = max((len(row.values) for row in rows), default=0)
    if most == 0:
        return None
    ordered = sorted(
        (row for row in rows if len(row.values) == most),
        key=lambda row: row.mean or 0.0,
        reverse=True,
    )
    legal = [row for row in ordered if is_legal(row)]
    if not legal:
        return None
    best = legal[0]
    centre = next((row for row in rows if not row.changes), None)
    second = next((row for row in legal if row is not best), None)
    over_centre = between(best, centre) if centre is not None and centre is not best else None
    over_second = between(best, second) if second is not None else None
    found = Ranking(
        best=best,
        is_centre=not best.changes,
        over_centre=over_centre,
        better_than_centre=_sure(over_centre, among=len(legal) - 1),
        runner_up=second,
        over_runner_up=over_second,
        better_than_runner_up=_sure(over_second, among=1),
        refused_above=ordered[0] if ordered[0] is not best else None,
        words=(),
    )
    return _with_words(found, chosen_from=len(legal))


def _sure(over: Effect | None, *, among: int) -> float | None:
    if over is None or over.chance is None:
        return None
    return 1 - min(1.0, over.chance * among)


def _with_words(found: Ranking, *, chosen_from: int) -> Ranking:
    words = [f"Best: {described_changes(found.best.changes)}, {_mean(found.best)}."]
    if found.is_centre:
        words.append("No setting did better than the base recipe.")
    else:
        words.append(
            _against("the base recipe", found.over_centre, found.better_than_centre)
            + f" It was chosen from {chosen_from} settings, which the probability allows for."
        )
    if found.runner_up is not None and (found.runner_up.changes or found.is_centre):
        name = f"the runner-up ({described_changes(found.runner_up.changes)})"
        words.append(_against(name, found.over_runner_up, found.better_than_runner_up))
    if found.refused_above is not None:
        words.append(
            f"{described_changes(found.refused_above.changes)} did better still "
            f"({_mean(found.refused_above)}), but Bedrock would refuse it."
        )
    values = {name: getattr(found, name) for name in Ranking.__slots__ if name != "words"}
    return Ranking(**values, words=tuple(words))


def _mean(row: Row) -> str:
    seeds = len(row.values)
    return f"{row.mean:.3f} with one seed" if seeds == 1 else f"{row.mean:.3f} over {seeds} seeds"


def _against(name: str, over: Effect | None, sure: float | None) -> str:
    if over is None:
        return f"Cannot tell whether it is better than {name}: they share no seed."
    if over.low is None or over.high is None or sure is None:
        return (
            f"Cannot tell whether it is better than {name} ({over.value:+.3f}): one seed shows no "
            "spread."
        )
    told = f"{over.value:+.3f}, 95 % interval {over.low:+.3f} to {over.high:+.3f}"
    if sure >= SURE:
        return f"Better than {name}: {told}; probability {sure:.3f}."
    return f"Cannot tell whether it is better than {name}: {told}; probability only {sure:.2f}."
