"""Say in words whether a run's rewards carried a learning signal, and why not.

It reads metric lines only; it trains nothing and judges no model. GRPO learns from groups whose
answers got different grades: where all grades of a group are equal every advantage is 0.

Sources: verl (advantage of equal rewards); Amazon Nova customization guide, RFT monitoring (under
5 % positive rollouts training struggles, over 95 % solved it is unnecessary).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bedrock_rft_sim.contract.limits import BASE_SUCCESS_MAX, BASE_SUCCESS_MIN
from bedrock_rft_sim.stats.shares import mean, percent

WEAK_SHARE = 0.05
"""Below this share of mixed groups a run is told that it hardly had a signal."""
HOPELESS_SHARE = BASE_SUCCESS_MIN
"""Below this share of rollouts graded above 0, training struggles."""
SOLVED_SHARE = BASE_SUCCESS_MAX
SUSPECT_SHARE = 0.5
"""From this share on, parse failures or cut answers are named as the likely cause."""

Lines = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Verdict:
    """Whether there was a learning signal, and the sentence that says so with numbers."""

    ok: bool
    words: str


def learning_signal(lines: Iterable[Mapping[str, Any]]) -> Verdict:
    """Judge the training lines of a run (those with group shares)."""
    trained = [line for line in lines if "local_groups_mixed" in line]
    if not trained:
        return Verdict(ok=False, words="No training step was recorded, so no learning signal.")
    mixed = _mean(trained, "local_groups_mixed") or 0.0
    if mixed >= WEAK_SHARE and not _hopeless(trained):
        words = f"Learning signal: {percent(mixed)} of the groups held answers of unequal grades."
        return Verdict(ok=True, words=words)
    head = _nothing(trained) if mixed == 0 else _hardly(trained, mixed)
    return Verdict(ok=False, words=" ".join([head, *_causes(trained), _next(trained)]))


def _nothing(lines: Lines) -> str:
    low, high = _lowest(lines), _highest(lines)
    effect = "so every advantage was 0 and nothing pushed the policy anywhere."
    if low is not None and low == high:
        return f"No learning signal: every one of {_count(lines)} was graded {low:g}, {effect}"
    right = percent(_mean(lines, "local_groups_all_right") or 0.0)
    return (
        "No learning signal: within each group all answers got the same grade "
        f"({right} of the groups above 0), {effect}"
    )


def _hopeless(lines: Lines) -> bool:
    """Whether successes were, and to the end stayed, too rare to learn from.

    Says nothing of a reward that also gives grades below 0: there a grade of 0 is no failure.
    """
    lowest, positive = _lowest(lines), _positive(lines)
    return lowest is not None and lowest >= 0 and positive is not None and positive < HOPELESS_SHARE


def _positive(lines: Lines) -> float | None:
    """Return the share of rollouts graded above 0 in the last third of the steps."""
    return _mean(lines[-max(1, len(lines) // 3) :], "local_positive_share")


def _hardly(lines: Lines, mixed: float) -> str:
    if mixed >= WEAK_SHARE:
        return (
            f"No learning signal to speak of: only {percent(_positive(lines) or 0.0)} of the last "
            f"rollouts were graded above 0 (under {percent(HOPELESS_SHARE)} training struggles), "
            f"and in {percent(1 - mixed)} of the groups every advantage was 0."
        )
    return (
        f"Hardly any learning signal: only {percent(mixed)} of the groups held answers of unequal "
        "grades; in all others every advantage was 0."
    )


def _count(lines: Lines) -> str:
    rollouts = sum(line.get("local_rollouts", 0) for line in lines)
    return f"the {rollouts:,} rollouts" if rollouts else "the rollouts"


def _causes(lines: Lines) -> list[str]:
    failures = _mean(lines, "local_parse_failures")
    cut = _mean(lines, "local_truncated_share")
    causes = []
    if failures is not None and failures >= SUSPECT_SHARE:
        causes.append(
            f"The grader found no answer in {percent(failures)} of the rollouts (parse failures)."
        )
    if cut is not None and cut >= SUSPECT_SHARE:
        causes.append(f"{percent(cut)} of the rollouts were cut off by inferenceMaxTokens.")
    return causes


def _next(lines: Lines) -> str:
    return "Next: " + "; ".join(_steps(lines)) + "."


def _steps(lines: Lines) -> list[str]:
    if (_lowest(lines) or 0.0) > 0 and _lowest(lines) == _highest(lines):
        return [_REWARD, "make sure that it tells a wrong answer from a right one", _HARDER]
    if (_mean(lines, "local_groups_all_right") or 0.0) >= SOLVED_SHARE:
        return ["the model already solves these prompts or the reward is too lenient", _HARDER]
    steps = []
    if (_mean(lines, "local_truncated_share") or 0.0) >= SUSPECT_SHARE:
        steps.append("raise inferenceMaxTokens or ask for shorter answers")
    if (_mean(lines, "local_parse_failures") or 0.0) >= SUSPECT_SHARE:
        steps.append("let the prompt ask for the very format that the reward looks for")
    return [*steps, _REWARD, _EASIER]


_HARDER = "or take harder prompts or a stricter reward"
_REWARD = "run `rft check` to see how the reward reads the reference answers"
_EASIER = (
    "read a few answers under rollouts/, then take a stronger model or easier prompts, "
    "or fine-tune on solved examples first"
)


def _mean(lines: Lines, name: str) -> float | None:
    return mean(line[name] for line in lines if line.get(name) is not None)


def _lowest(lines: Lines) -> float | None:
    return min((line["critic_rewards_min"] for line in lines if "critic_rewards_min" in line),
               default=None)  # fmt: skip


def _highest(lines: Lines) -> float | None:
    return max((line["critic_rewards_max"] for line in lines if "critic_rewards_max" in line),
               default=None)  # fmt: skip
