"""Every rule in order, and the one line above them.

It adds no judgement of its own: the headline counts what the rules said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Final

from bedrock_rft_sim.diagnosis.verdicts import answers, grading, policy, reward, signal
from bedrock_rft_sim.diagnosis.verdicts.evidence import Evidence, ends, values_of
from bedrock_rft_sim.diagnosis.verdicts.verdict import ORDER, Verdict

Rule = Callable[[Evidence], Verdict]

RULES: Final[tuple[Rule, ...]] = (
    signal.no_learning_signal,
    signal.base_model_saturated,
    signal.base_model_hopeless,
    reward.reward_falling,
    reward.validation_parts,
    reward.component_dominates,
    policy.entropy_collapse,
    policy.entropy_stuck,
    policy.gradient_spikes,
    answers.length_explosion,
    answers.truncated_answers,
    answers.parse_failures,
    grading.grader_errors,
    grading.grader_latency,
    reward.reward_plateau,
    signal.signal_dried_up,
)


def judge(evidence: Evidence) -> list[Verdict]:
    """Return what every rule says, the gravest first, and in the order of the rules."""
    return sorted((rule(evidence) for rule in RULES), key=lambda v: ORDER.index(v.severity))


def spoken(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return the verdicts with something to tell."""
    return [verdict for verdict in verdicts if verdict.speaks]


def headline(evidence: Evidence, verdicts: Sequence[Verdict]) -> str:
    """Say in one line what the reward did and how many rules spoke."""
    counts = [
        f"{count} {word}{'s' if count > 1 else ''}"
        for word in ("problem", "warning", "note")
        if (count := sum(verdict.severity == word for verdict in verdicts))
    ]
    looked = sum(verdict.severity != "unknown" for verdict in verdicts)
    told = f"; {', '.join(counts)}" if counts else " and found nothing to report"
    return f"{_course(evidence)} {looked} rules looked{told}."


def _course(evidence: Evidence) -> str:
    validation = values_of(evidence.points("validation_rewards_mean"))
    training = values_of(evidence.points("critic_rewards_mean"))
    if len(validation) > 1:
        return f"Validation reward {validation[0]:.3f} → {validation[-1]:.3f}."
    if training:
        first, last = (fmean(part) for part in ends(training))
        return f"Training reward {first:.3f} → {last:.3f}."
    return "No training step was recorded."
