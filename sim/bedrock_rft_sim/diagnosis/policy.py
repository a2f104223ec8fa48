"""The policy itself: entropy and gradients.

Sources: AWS reading guide (entropy falls gently; near zero it has collapsed, stuck high the reward
is ignored; the gradient norm keeps in a band, spikes mean instability); Amazon Bedrock
best-practices blog (so does sustained growth).
"""

from __future__ import annotations

from statistics import median
from typing import Final

from bedrock_rft_sim.contract.sources import BEST_PRACTICES
from bedrock_rft_sim.diagnosis.evidence import (
    Evidence,
    end_means,
    end_to_start,
    noise,
    spikes,
    values_of,
)
from bedrock_rft_sim.diagnosis.finding import STEPS_MIN, Diagnostic, Finding
from bedrock_rft_sim.stats.ranks import kendall
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
GROWTH_FACTOR: Final = 2.0
"""Assumed: a gradient norm that ends this many times as high as it began has grown ..."""
GROWTH_ORDER: Final = 0.5
"""... if so large a share of all pairs of steps agrees (Kendall's tau)."""
SETTLED: Final = 0.1
"""Assumed: the first tenth of the steps does not count, since an adapter starts at zero."""
STEPS_NAMED: Final = 5

COLLAPSE: Final = Diagnostic(
    "entropy collapse",
    "If the reward is as high as you need, this is the end of the run; if not, lower the learning "
    "rate or raise the KL coefficient.",
)
STUCK: Final = Diagnostic(
    "entropy stuck",
    "Raise the learning rate, or look at the share of mixed groups: where all rewards of a group "
    "are equal there is nothing to react to.",
)
GRADIENT: Final = Diagnostic(
    "gradient spikes",
    "Read that step's answers; if the reward jumps with it, lower the learning rate or the "
    "gradient clip, or clip outlying grades.",
)

GROWTH: Final = Diagnostic(
    "gradient growth",
    "Lower the learning rate or raise the KL coefficient; keep the checkpoint from before the "
    "reward suffers.",
    BEST_PRACTICES,
)


def entropy_collapse(evidence: Evidence) -> Finding:
    """Entropy near zero, or a small rest of what it was."""
    values = evidence.values("actor_entropy")
    if len(values) < STEPS_MIN:
        return COLLAPSE.too_short(len(values))
    first, last = ends = end_means(values)
    says = f"Policy entropy: {first:.3f} nats at first, {last:.3f} at the end."
    if last >= COLLAPSED_NATS and last >= COLLAPSED_SHARE * first:
        return COLLAPSE.clear(says, ends._asdict())
    says += " The answers to a prompt are nearly all alike now, so groups can hardly teach."
    reward = evidence.values("critic_rewards_mean")
    if reward:
        says += f" Training reward there: {end_means(reward).last_fifth:.3f}."
    return COLLAPSE.fires("warning", says, ends._asdict())


def entropy_stuck(evidence: Evidence) -> Finding:
    """Neither entropy nor reward moved."""
    entropy, reward = (evidence.values(name) for name in ("actor_entropy", "critic_rewards_mean"))
    if min(len(entropy), len(reward)) < STEPS_MIN:
        return STUCK.too_short(len(entropy))
    first, last = end_means(entropy)
    before, after = end_means(reward)
    change = abs(last - first) / first if first else 0.0
    gain = after - before
    numbers = {"change": change, "first_fifth": first, "reward_gain": gain}
    moved = change >= STUCK_SHARE or gain > 2 * noise(reward) * (2 / (len(reward) // 5)) ** 0.5
    if moved:
        says = f"Entropy changed by {percent(change)}, the reward by {gain:+.3f}."
        return STUCK.clear(says, numbers)
    says = (
        f"Entropy stayed at {first:.3f} nats (changed by {percent(change)}) and the reward did not "
        f"rise ({gain:+.3f}): the policy hardly reacts to the reward."
    )
    return STUCK.fires("warning", says, numbers)


def gradient_spikes(evidence: Evidence) -> Finding:
    """Single steps far above the band of the steps before them."""
    points = evidence.points("actor_grad_norm")
    values = values_of(points)
    if len(values) < STEPS_MIN:
        return GRADIENT.too_short(len(values))
    found = spikes(values, factor=SPIKE_FACTOR, window=SPIKE_WINDOW)
    if not found:
        usual, highest = median(values), max(values)
        says = f"Median {usual:.3g}, highest {highest:.3g}; no step left its band."
        return GRADIENT.clear(says, {"median": usual, "highest": highest})
    place, factor = max(found, key=lambda spike: spike[1])
    step = points[place][0]
    named = ", ".join(str(points[place][0]) for place, _ in found[:STEPS_NAMED])
    says = (
        f"{len(found)} step{'s' if len(found) > 1 else ''} "
        f"({named}{' ...' if len(found) > STEPS_NAMED else ''}) had a gradient norm more than "
        f"{SPIKE_FACTOR:g} times the median of the steps before; the worst, step {step}, "
        f"{factor:.1f} times."
    )
    return GRADIENT.fires("warning", says, {"spikes": len(found), "step": step, "factor": factor})


def gradient_growth(evidence: Evidence) -> Finding:
    """A gradient norm that goes on growing, without any single spike."""
    values = [value for value in evidence.values("actor_grad_norm") if value > 0]
    values = values[round(SETTLED * len(values)) :]
    if len(values) < STEPS_MIN:
        return GROWTH.too_short(len(values))
    factor, order = end_to_start(values), kendall(range(len(values)), values) or 0.0
    numbers = {"factor": factor, "order": order}
    says = f"The gradient norm ends {factor:.1f} times as high as it began"
    if factor < GROWTH_FACTOR or order < GROWTH_ORDER:
        return GROWTH.clear(f"{says}.", numbers)
    first, last = end_means(values)
    says += f" and grew all along ({first:.3g} in the first fifth, {last:.3g} in the last)."
    return GROWTH.fires("warning", says, numbers)
