"""Whether the best setting is still better than the base recipe on seeds it was not chosen by.

The choice among many settings was made on other seeds, so these differences need no allowance for
it: they alone give the interval and the p-value, and they enter nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bedrock_rft_sim.sweep.effects import Effect, Setting, between, p_words, rows_of
from bedrock_rft_sim.sweep.outcome import PointOutcome
from bedrock_rft_sim.sweep.ranking import BASE, Ranking


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What came of the fresh seeds."""

    seeds: tuple[int, ...]
    rows: tuple[Setting, ...]
    """The centre and the best setting with these seeds; empty where there is nothing to confirm."""
    over_centre: Effect | None
    is_confirmed: bool | None
    """None where there is nothing to confirm."""
    words: tuple[str, ...]

    @property
    def outcomes(self) -> list[PointOutcome]:
        """Every run, setting by setting."""
        return [one for row in self.rows for one in row.outcomes]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return {
            "seeds": list(self.seeds),
            "over_centre": self.over_centre and asdict(self.over_centre),
            "p_value_over_centre": self.over_centre and self.over_centre.p_value,
            "confirmed": self.is_confirmed,
            "words": list(self.words),
            "runs": [one.as_json() for one in self.outcomes],
        }


def nothing_to_confirm(ranking: Ranking | None, seeds: tuple[int, ...]) -> Confirmation:
    """Say why no run with fresh seeds is needed."""
    why = "no setting could be ranked" if ranking is None else f"{BASE} is the best"
    return Confirmation(seeds, (), None, None, (f"Nothing to confirm: {why}.",))


def confirmation_of(outcomes: Sequence[PointOutcome], seeds: tuple[int, ...]) -> Confirmation:
    """Judge the runs of the centre and of the best setting with the fresh seeds."""
    rows = rows_of(outcomes)
    centre = next(row for row in rows if not row.changes)
    best = next(row for row in rows if row.changes)
    over = between(best, centre)
    if over is None or over.p_value is None or over.seeds < len(seeds):
        words = (_incomplete(over, len(seeds)),)
        return Confirmation(seeds, (centre, best), over, is_confirmed=False, words=words)
    surely = (
        f"One-sided {p_words(over.p_value)}, with no allowance for the choice, which was made on "
        "other seeds."
    )
    return Confirmation(
        seeds, (centre, best), over, is_confirmed=over.is_above, words=(_judged(over), surely)
    )


def _judged(over: Effect) -> str:
    if over.is_above:
        return f"Confirmed on {over.seeds} fresh seeds: better than {BASE} by {over.text}."
    head = f"Not confirmed on {over.seeds} fresh seeds"
    if over.is_below:
        return f"{head}: worse than {BASE}, {over.text}."
    return f"{head}: {over.text}, so whether it is better than {BASE} is not known."


def _incomplete(over: Effect | None, seeds: int) -> str:
    known = over.seeds if over is not None else 0
    return (
        f"Not confirmed: only {known} of {seeds} fresh seeds have results on both sides, so "
        f"whether it is better than {BASE} is not known."
    )
