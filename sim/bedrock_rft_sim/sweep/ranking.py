"""Which setting is best, and how sure that is.

The best of many was chosen on the very numbers it is praised with, so its p-value against the
centre is multiplied by how many settings were tried, those given up or failed among them
(Bonferroni). Against the runner-up no such allowance is made. With one seed nothing is sure, and
nothing is compared with a centre that lacks a seed. What a choice needs to be sure of at small
cost is fresh seeds: `bedrock_rft_sim.sweep.confirmation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from bedrock_rft_sim.sweep.effects import ALPHA, Effect, Setting, between, p_words
from bedrock_rft_sim.sweep.plan import described_changes

BASE: Final = "the base recipe"


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best setting that Bedrock would take, and what it is compared with."""

    best: Setting
    is_centre: bool
    over_centre: Effect | None
    """None where the best is the centre, or the centre lacks a seed."""
    tried: int
    """Settings beside the centre, whatever came of them."""
    p_value_over_centre: float | None
    """One-sided, times the settings tried, at most 1; None where it is not known."""
    runner_up: Setting | None
    over_runner_up: Effect | None
    refused_above: Setting | None
    """A better setting that Bedrock would refuse; None where there is none."""
    words: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        over_second = self.over_runner_up
        return {
            "best": self.best.changes,
            "is_centre": self.is_centre,
            "over_centre": self.over_centre and asdict(self.over_centre),
            "tried": self.tried,
            "p_value_over_centre_adjusted": self.p_value_over_centre,
            "runner_up": self.runner_up.changes if self.runner_up else None,
            "over_runner_up": over_second and asdict(over_second),
            "p_value_over_runner_up_unadjusted": over_second and over_second.p_value,
            "better_but_refused_by_bedrock": self.refused_above and self.refused_above.changes,
            "words": list(self.words),
        }


def rank(rows: Sequence[Setting], *, seeds: int) -> Ranking | None:
    """Rank the settings that completed with as many of the `seeds` as any.

    None where no run completed, or Bedrock would refuse every setting that did.
    """
    most = max((len(row.values) for row in rows), default=0)
    if most == 0:
        return None
    ordered = sorted(
        (row for row in rows if len(row.values) == most),
        key=lambda row: row.mean or 0.0,
        reverse=True,
    )
    legal = [row for row in ordered if not row.refusals]
    if not legal:
        return None
    best = legal[0]
    centre = next((row for row in rows if not row.changes), None)
    second = next((row for row in legal if row is not best), None)
    tried = sum(bool(row.changes) for row in rows)
    is_held = centre is not None and centre is not best and len(centre.values) == seeds
    over_centre = between(best, centre) if is_held and centre is not None else None
    over_second = between(best, second) if second is not None else None
    adjusted = None
    if over_centre is not None and over_centre.p_value is not None:
        adjusted = min(1.0, over_centre.p_value * tried)
    return Ranking(
        best=best,
        is_centre=not best.changes,
        over_centre=over_centre,
        tried=tried,
        p_value_over_centre=adjusted,
        runner_up=second,
        over_runner_up=over_second,
        refused_above=ordered[0] if ordered[0] is not best else None,
        words=(
            *_against_centre(
                best, centre, _over_centre(over_centre, adjusted, tried), tried=tried, seeds=seeds
            ),
            *_against_second(best, second, over_second),
            *_unranked(rows, len(ordered), most),
            *_refused(ordered[0], best),
        ),
    )


def _against_centre(
    best: Setting, centre: Setting | None, compared: str, *, tried: int, seeds: int
) -> list[str]:
    name = f"{described_changes(best.changes)}, {_mean(best)}"
    if not best.changes:
        said = f"No setting did better than {BASE}." if tried else f"Only {BASE} was tried."
        return [f"Best: {name}.", said]
    known = len(centre.values) if centre is not None else 0
    if known < seeds:
        return [
            f"Best of the settings beside {BASE}: {name}.",
            f"Cannot tell whether it is better than {BASE}: {BASE} has results for only {known} of "
            f"{seeds} {'seed' if seeds == 1 else 'seeds'}.",
        ]
    return [f"Best: {name}.", compared]


def _over_centre(over: Effect | None, p_value: float | None, tried: int) -> str:
    caveat = "; nothing else was tried"
    if tried > 1:
        caveat = f" after allowing for a choice among {tried}, which the interval does not"
    if over is not None and p_value is not None and over.value <= 0:
        return f"It is not better than {BASE}: {over.text}, {p_words(p_value)}{caveat}."
    return _compared(BASE, over, p_value, caveat)


def _against_second(best: Setting, second: Setting | None, over: Effect | None) -> list[str]:
    if second is None or not (second.changes or not best.changes):
        return []
    name = f"the runner-up ({described_changes(second.changes)})"
    p_value = over.p_value if over is not None else None
    return [_compared(name, over, p_value, " with no allowance for the choice")]


def _compared(name: str, over: Effect | None, p_value: float | None, caveat: str) -> str:
    unsure = f"Cannot tell whether it is better than {name}"
    if over is None:
        return f"{unsure}: they share no seed."
    if p_value is None:
        return f"{unsure} ({over.text}): one seed gives no confidence interval."
    is_sure = over.is_above and p_value <= ALPHA
    head = f"Better than {name}" if is_sure else unsure
    return f"{head}: {over.text}, {p_words(p_value)}{caveat}."


def _unranked(rows: Sequence[Setting], ranked: int, most: int) -> list[str]:
    left = sum(bool(row.changes) for row in rows if len(row.values) < most)
    if not left:
        return []
    what = f"{left} of {ranked + left} settings {'is' if left == 1 else 'are'} not ranked"
    return [f"{what}: given up, failed or short of a seed."]


def _refused(first: Setting, best: Setting) -> list[str]:
    if first is best:
        return []
    name = described_changes(first.changes)
    return [f"{name} did better still ({_mean(first)}), but Bedrock would refuse it."]


def _mean(row: Setting) -> str:
    seeds = len(row.values)
    return f"{row.mean:.3f} with one seed" if seeds == 1 else f"{row.mean:.3f} over {seeds} seeds"
