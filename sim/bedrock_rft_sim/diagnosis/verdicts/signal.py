"""Was there anything to learn from: unequal grades, a base model neither finished nor hopeless.

The learning signal itself is judged by `bedrock_rft_sim.runs.metrics.learning_signal`; this only
files its words.

Sources: Amazon Nova customization guide, RFT (over 95 % solved RFT is unnecessary, at 0 % do SFT
first, under 5 % positive rollouts it struggles).
"""

from __future__ import annotations

from statistics import fmean
from typing import Final

from bedrock_rft_sim.contract.limits import BASE_SUCCESS_MAX, BASE_SUCCESS_MIN
from bedrock_rft_sim.diagnosis.verdicts.evidence import Evidence, ends, is_number, values_of
from bedrock_rft_sim.diagnosis.verdicts.verdict import Verdict, clear, unknown
from bedrock_rft_sim.runs.metrics import learning_signal
from bedrock_rft_sim.stats.shares import percent

BASE_STEPS: Final = 3
"""Assumed: the first three steps still show the base model."""
DRIED_UP_SHARE: Final = 0.10
"""Assumed: with fewer mixed groups than this at the end, further steps teach next to nothing."""


def no_learning_signal(evidence: Evidence) -> Verdict:
    """Constant grades, or hardly any group with unequal ones."""
    rule = "learning signal"
    mixed = values_of(evidence.points("local_groups_mixed"))
    if not mixed:
        return unknown(rule, "No training step with group shares was recorded.")
    numbers_only = [
        {name: value for name, value in line.items() if is_number(value)} for line in evidence.lines
    ]
    words = learning_signal(numbers_only)
    numbers = {"mixed_groups": fmean(mixed)}
    if words.ok:
        return clear(rule, words.words, **numbers)
    says, _, remedy = words.words.partition(" Next: ")
    return Verdict(rule, "problem", says, numbers, _sentence(remedy))


def signal_dried_up(evidence: Evidence) -> Verdict:
    """The share of mixed groups at the end."""
    rule = "mixed groups over time"
    mixed = values_of(evidence.points("local_groups_mixed"))
    if len(mixed) < 2 * BASE_STEPS:
        return unknown(rule, "Too few steps to compare the beginning with the end.")
    first, last = (fmean(part) for part in ends(mixed))
    numbers = {"first_fifth": first, "last_fifth": last}
    says = f"Groups with unequal grades: {percent(first)} at first, {percent(last)} at the end."
    if last >= DRIED_UP_SHARE or first < DRIED_UP_SHARE:
        return clear(rule, says, **numbers)
    return Verdict(
        rule,
        "note",
        f"{says} The rest of the groups had advantages of 0 and taught nothing.",
        numbers,
        "End earlier, or add prompts that the model still gets wrong now and then.",
    )


def base_model_saturated(evidence: Evidence) -> Verdict:
    """The model already solved the task before training."""
    rule = "saturation"
    base = _base_reward(evidence)
    if base is None:
        return unknown(rule, "No range of grades was recorded to measure the base model against.")
    says = f"The base model earned {percent(base)} of the reward's range in the first steps."
    if base <= BASE_SUCCESS_MAX:
        return clear(rule, says, base=base)
    return Verdict(
        rule,
        "warning",
        f"{says} Above {percent(BASE_SUCCESS_MAX)} there is hardly anything left to learn.",
        {"base": base},
        "Take harder prompts or a stricter reward; the Nova guide calls RFT unnecessary here.",
    )


def base_model_hopeless(evidence: Evidence) -> Verdict:
    """The base model almost never succeeded."""
    rule = "base success"
    positive = values_of(evidence.points("local_positive_share"))
    low = values_of(evidence.points("critic_rewards_min"))
    if not positive or not low:
        return unknown(rule, "The share of rollouts graded above 0 was not recorded.")
    if min(low) < 0:
        return unknown(rule, "Grades below 0 were given, so a grade of 0 is no failure.")
    base, later = fmean(positive[:BASE_STEPS]), fmean(ends(positive)[1])
    numbers = {"base": base, "last_fifth": later}
    says = f"{percent(base)} of the first rollouts were graded above 0"
    if base >= BASE_SUCCESS_MIN:
        return clear(rule, f"{says}.", **numbers)
    rose = later >= BASE_SUCCESS_MIN
    return Verdict(
        rule,
        "note" if rose else "problem",
        f"{says}, under the {percent(BASE_SUCCESS_MIN)} below which training struggles; "
        f"{percent(later)} at the end.",
        numbers,
        "It found its way here, but another seed may not; easier prompts first would be safer."
        if rose
        else "Fine-tune on solved examples first, take easier prompts or a stronger model, or "
        "give partial credit.",
    )


def _base_reward(evidence: Evidence) -> float | None:
    """Return the mean grade of the first steps within the range of grades seen, 0 to 1."""
    rewards = values_of(evidence.points("critic_rewards_mean"))
    span = evidence.reward_range()
    if not rewards or span is None:
        return None
    return (fmean(rewards[:BASE_STEPS]) - span[0]) / (span[1] - span[0])


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
