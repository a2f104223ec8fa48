"""Every check of a run in order, and the one line above their findings.

It adds no judgement of its own: the headline counts what the checks found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bedrock_rft_sim.diagnosis import answers, gaming, grading, policy, reward, signal
from bedrock_rft_sim.diagnosis.evidence import Evidence, end_means
from bedrock_rft_sim.diagnosis.finding import ORDER, Finding

CHECKS: Final = (
    signal.learning_signal,
    signal.base_model_saturated,
    signal.base_model_hopeless,
    reward.reward_falling,
    reward.reward_unstable,
    reward.validation_parts,
    reward.component_dominates,
    gaming.reward_gaming,
    gaming.reward_at_floor,
    policy.entropy_collapse,
    policy.entropy_stuck,
    policy.gradient_spikes,
    policy.gradient_growth,
    answers.length_explosion,
    answers.truncated_answers,
    answers.parse_failures,
    grading.grader_errors,
    grading.grader_latency,
    reward.reward_plateau,
    signal.signal_dried_up,
)


def diagnose_run(evidence: Evidence) -> list[Finding]:
    """Return what every check found, the gravest first, and in the order of the checks."""
    return sorted((check(evidence) for check in CHECKS), key=lambda f: ORDER.index(f.severity))


def headline(evidence: Evidence, findings: Sequence[Finding]) -> str:
    """Say in one line what the reward did and how many checks fired."""
    counts = [
        f"{count} {word}{'s' if count > 1 else ''}"
        for word in ("problem", "warning", "note")
        if (count := sum(finding.severity == word for finding in findings))
    ]
    ran = sum(finding.severity != "unknown" for finding in findings)
    found = ", ".join(counts) or "nothing to report"
    return f"{_course(evidence)} {ran} check{'s' if ran != 1 else ''} ran: {found}."


def _course(evidence: Evidence) -> str:
    validation = evidence.values("validation_rewards_mean")
    training = evidence.values("critic_rewards_mean")
    if len(validation) > 1:
        return f"Validation reward {validation[0]:.3f} → {validation[-1]:.3f}."
    if training:
        first, last = end_means(training)
        return f"Training reward {first:.3f} → {last:.3f}."
    return "No training step was recorded."
