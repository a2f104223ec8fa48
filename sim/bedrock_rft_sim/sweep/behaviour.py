"""What a setting did to the model: collapse, loss, flatness or gain, against the noise.

A run is judged by its own validation before the first and after the last step, and by the rules of
`rft report`. Two standard errors over the validation prompts are taken for noise.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from bedrock_rft_sim.diagnosis.verdicts.reward import VALIDATION_FALL
from bedrock_rft_sim.sweep.effects import Row
from bedrock_rft_sim.sweep.outcome import Outcome

Kind = Literal["collapses", "loses", "is flat", "gains", "failed", "pruned", "cannot tell"]
NOISES: Final = 2.0
RULES: Final = ("entropy collapse", "reward falling")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One word, and the numbers behind it in words."""

    kind: Kind
    words: str


def behaviour(rows: Sequence[Row]) -> Behaviour:
    """Say what the runs of these settings did together."""
    outcomes = [one for row in rows for one in row.outcomes]
    completed = [one for one in outcomes if one.status == "completed"]
    if not completed:
        return _without_result(outcomes)
    collapsed = [one for one in completed if has_collapsed(one)]
    if collapsed:
        return Behaviour("collapses", _collapse(collapsed, len(completed)))
    gains = [one.gain for one in completed if one.gain is not None]
    noises = [one.noise for one in completed if one.noise is not None]
    if not gains or not noises:
        return Behaviour("cannot tell", "validation was not recorded before and after")
    gain, noise = statistics.fmean(gains), NOISES * statistics.fmean(noises)
    told = f"validation {gain:+.3f} from first to last step, noise of the prompts ±{noise:.3f}"
    if gain > noise:
        return Behaviour("gains", told)
    if gain < -noise:
        return Behaviour("loses", told)
    return Behaviour("is flat", f"no gain beyond noise: {told}")


def _without_result(outcomes: Sequence[Outcome]) -> Behaviour:
    kind: Kind
    for kind in ("failed", "pruned"):
        for one in outcomes:
            if one.status == kind:
                return Behaviour(kind, (one.why or "no reason known").splitlines()[0])
    return Behaviour("cannot tell", "no run")


def has_collapsed(one: Outcome) -> bool:
    """Whether a run ends far below where it began, or gave up its entropy for nothing."""
    if one.gain is None or one.noise is None:
        return False
    far_below = one.gain < -NOISES * one.noise and one.gain <= -VALIDATION_FALL
    ruled = any(rule in one.problems for rule in RULES)
    return far_below or (ruled and one.gain <= NOISES * one.noise)


def _collapse(collapsed: Sequence[Outcome], of: int) -> str:
    lowest = min(collapsed, key=lambda one: one.gain or 0.0)
    rules = sorted({rule for one in collapsed for rule in one.problems if rule in RULES})
    told = f"in {len(collapsed)} of {of} runs"
    if lowest.base is not None and lowest.gain is not None:
        told += f", validation from {lowest.base:.3f} down to {lowest.base + lowest.gain:.3f}"
    return told + (f"; {', '.join(rules)}" if rules else "")
