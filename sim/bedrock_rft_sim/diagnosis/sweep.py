"""What a setting did to the model: collapse, loss, flatness or gain, compared with the noise.

A run is judged by its own validation before the first and after the last step, and by the checks of
`rft report`. Two standard errors over the validation prompts are taken for noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Final, Protocol

from bedrock_rft_sim.diagnosis.finding import Finding, Severity
from bedrock_rft_sim.diagnosis.reward import VALIDATION_FALL

NOISES: Final = 2.0
COLLAPSE_RULES: Final = ("entropy collapse", "reward falling")
WITHOUT_RESULT: Final[dict[str, Severity]] = {"failed": "problem", "pruned": "note"}


class EndedRun(Protocol):
    """How a run of a sweep ended; rewards are of its validation."""

    @property
    def status(self) -> str:
        """`completed`, `failed` or `pruned`."""

    @property
    def why(self) -> str | None:
        """Why it failed or was pruned."""

    @property
    def validation_before(self) -> float | None:
        """Reward before the first step."""

    @property
    def gain(self) -> float | None:
        """Reward after the last step minus before the first."""

    @property
    def noise(self) -> float | None:
        """Standard error of the gain over the validation prompts."""

    @property
    def problems(self) -> Sequence[str]:
        """Checks of the run that found a problem or a warning."""


def diagnose_setting(runs: Sequence[EndedRun]) -> Finding:
    """Say what the runs of one setting did together; the finding's rule is the word for it."""
    completed = [run for run in runs if run.status == "completed"]
    if not completed:
        return _without_result(runs)
    collapsed = [run for run in completed if _has_collapsed(run)]
    if collapsed:
        return Finding("collapses", "problem", _collapse(collapsed, len(completed)))
    gains = [run.gain for run in completed if run.gain is not None]
    noises = [run.noise for run in completed if run.noise is not None]
    if not gains or not noises:
        return Finding("cannot tell", "unknown", "validation was not recorded before and after")
    gain, noise = fmean(gains), NOISES * fmean(noises)
    numbers = {"gain": gain, "noise": noise}
    says = f"validation {gain:+.3f} from first to last step, noise of the prompts ±{noise:.3f}"
    if gain > noise:
        return Finding("gains", "clear", says, numbers)
    if gain < -noise:
        return Finding("loses", "warning", says, numbers)
    return Finding("is flat", "note", f"no gain beyond noise: {says}", numbers)


def _without_result(runs: Sequence[EndedRun]) -> Finding:
    for status, severity in WITHOUT_RESULT.items():
        for run in runs:
            if run.status == status:
                reason = (run.why or "no reason known").splitlines()[0]
                return Finding(status, severity, reason)
    return Finding("cannot tell", "unknown", "no run")


def _has_collapsed(run: EndedRun) -> bool:
    """Whether a run ends far below where it began, or gave up its entropy for nothing."""
    if run.gain is None or run.noise is None:
        return False
    far_below = run.gain < -NOISES * run.noise and run.gain <= -VALIDATION_FALL
    fired = any(rule in run.problems for rule in COLLAPSE_RULES)
    return far_below or (fired and run.gain <= NOISES * run.noise)


def _collapse(collapsed: Sequence[EndedRun], of: int) -> str:
    lowest = min(collapsed, key=lambda run: run.gain or 0.0)
    rules = sorted({rule for run in collapsed for rule in run.problems if rule in COLLAPSE_RULES})
    says = f"in {len(collapsed)} of {of} runs"
    before, gain = lowest.validation_before, lowest.gain
    if before is not None and gain is not None:
        says += f", validation from {before:.3f} down to {before + gain:.3f}"
    return says + (f"; {', '.join(rules)}" if rules else "")
