"""The policy itself: entropy and gradients.

Sources: AWS reading guide (entropy falls gently; near zero it has collapsed, stuck high the reward
is ignored; the gradient norm keeps in a band, spikes mean instability).
"""

from __future__ import annotations

from statistics import median
from typing import Final

from bedrock_rft_sim.diagnosis.evidence import Evidence, end_means, noise, values_of
from bedrock_rft_sim.diagnosis.finding import STEPS_MIN, Finding, clear, too_short
from bedrock_rft_sim.stats.shares import percent

COLLAPSED_NATS: Final = 0.01
"""Assumed: below this the policy gives nearly always the same answer."""
COLLAPSED_SHARE: Final = 0.10
"""Assumed: less than this share of the first entropy is left."""
STUCK_SHARE: Final = 0.05
"""Assumed: entropy that moved by less than this share has not moved."""
SPIKE_FACTOR: Final = 5.0
"""Assumed: a gradient norm above this many medians of the steps before it is a spike."""
SPIKE_WINDOW: Final = 20


def entropy_collapse(evidence: Evidence) -> Finding:
    """Entropy near zero, or a small rest of what it was."""
    rule = "entropy collapse"
    values = evidence.values("actor_entropy")
    if len(values) < STEPS_MIN:
        return too_short(rule, len(values))
    first, last = end_means(values)
    numbers = {"first_fifth": first, "last_fifth": last}
    says = f"Policy entropy: {first:.3f} nats at first, {last:.3f} at the end."
    if last >= COLLAPSED_NATS and last >= COLLAPSED_SHARE * first:
        return clear(rule, says, **numbers)
    reward = evidence.values("critic_rewards_mean")
    earned = f" Training reward there: {end_means(reward)[1]:.3f}." if reward else ""
    return Finding(
        rule,
        "warning",
        f"{says} The answers to a prompt are nearly all alike now, so groups can hardly teach."
        + earned,
        numbers,
        "If the reward is as high as you need, this is the end of the run; if not, lower the "
        "learning rate or raise the KL coefficient.",
    )


def entropy_stuck(evidence: Evidence) -> Finding:
    """Neither entropy nor reward moved."""
    rule = "entropy stuck"
    entropy = evidence.values("actor_entropy")
    reward = evidence.values("critic_rewards_mean")
    if min(len(entropy), len(reward)) < STEPS_MIN:
        return too_short(rule, len(entropy))
    first, last = end_means(entropy)
    before, after = end_means(reward)
    change = abs(last - first) / first if first else 0.0
    gain = after - before
    numbers = {"change": change, "first_fifth": first, "reward_gain": gain}
    moved = change >= STUCK_SHARE or gain > 2 * noise(reward) * (2 / (len(reward) // 5)) ** 0.5
    if moved:
        says = f"Entropy changed by {percent(change)}, the reward by {gain:+.3f}."
        return clear(rule, says, **numbers)
    return Finding(
        rule,
        "warning",
        f"Entropy stayed at {first:.3f} nats (changed by {percent(change)}) and the reward did "
        f"not rise ({gain:+.3f}): the policy hardly reacts to the reward.",
        numbers,
        "Raise the learning rate, or look at the share of mixed groups: where all rewards "
        "of a group are equal there is nothing to react to.",
    )


def gradient_spikes(evidence: Evidence) -> Finding:
    """Single steps far above the band of the steps before them."""
    rule = "gradient spikes"
    points = evidence.points("actor_grad_norm")
    values = values_of(points)
    if len(values) < STEPS_MIN:
        return too_short(rule, len(values))
    spikes = []
    for index in range(STEPS_MIN // 2, len(values)):
        usual = median(values[max(0, index - SPIKE_WINDOW) : index])
        if usual > 0 and values[index] > SPIKE_FACTOR * usual:
            spikes.append((points[index][0], values[index] / usual))
    if not spikes:
        says = f"Median {median(values):.3g}, highest {max(values):.3g}; no step left its band."
        return clear(rule, says, median=median(values), highest=max(values))
    step, factor = max(spikes, key=lambda spike: spike[1])
    named = ", ".join(str(each) for each, _ in spikes[:5]) + (" ..." if len(spikes) > 5 else "")  # noqa: PLR2004
    return Finding(
        rule,
        "warning",
        f"{len(spikes)} step{'s' if len(spikes) > 1 else ''} ({named}) had a gradient norm more "
        f"than {SPIKE_FACTOR:g} times the median of the steps before; the worst, step {step}, "
        f"{factor:.1f} times.",
        {"spikes": len(spikes), "step": step, "factor": factor},
        "Read that step's answers; if the reward jumps with it, lower the learning rate or the "
        "gradient clip, or clip outlying grades.",
    )
