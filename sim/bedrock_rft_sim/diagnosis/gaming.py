"""Reward gaming: the reward rises, and what it was meant to pay for does not.

Asked are the reward's own `accuracy`, where it reports one, and the second opinions of
`local.alsoGrade`, taken to have the scale of the reward; without either, whether the rise comes
with answers that repeat themselves, are cut, or are twice as long.
A reward that earns no more than its floor, a script that sees only the prompts, teaches as little.

Sources: Amazon Bedrock best-practices blog (reward hacking); a run on SmolLM2-135M whose reward
rose threefold on chained equations while not one answer was right.
"""

from __future__ import annotations

import math
from typing import Final

from bedrock_rft_sim.contract.sources import BEST_PRACTICES
from bedrock_rft_sim.diagnosis.evidence import Ends, Evidence, end_means, noise, values_of
from bedrock_rft_sim.diagnosis.finding import STEPS_MIN, Diagnostic, Finding
from bedrock_rft_sim.stats.shares import percent

ACCURACY: Final = "accuracy"
"""The component by which a reward says how many answers are right."""
RISE_ERRORS: Final = 3.0
"""Assumed: a reward has risen by more than this many standard errors of its own steps."""
FOLLOWS_SHARE: Final = 0.2
"""Assumed: a goal that gained less than this share of the reward's gain did not follow it."""
TRUNCATED_RISE: Final = 0.1
TRUNCATED_LEAST: Final = 0.5
"""Assumed: answers cut more often than at first by this share, and at least so many at the end."""
LOOPING_RISE: Final = 0.1
"""Assumed: answers that repeat themselves more often than at first by this share."""
LENGTH_FACTOR: Final = 2.0
"""Assumed: answers this many times as long as at first."""

GAMING: Final = Diagnostic(
    "reward gaming",
    "Read the answers that score high: what do they do that is no solution? Let `rft audit` show "
    "what an answer earns that knows nothing, and pay for the goal before the steps towards it.",
    BEST_PRACTICES,
)
FLOOR: Final = Diagnostic(
    "reward at its floor",
    "`rft audit` shows the answers that earn as much without solving anything; pay less for them, "
    "or take prompts of which the model solves some (`rft probe`).",
    BEST_PRACTICES,
)


def reward_gaming(evidence: Evidence) -> Finding:
    """The reward rose and its goal did not, or it rose with the signs of a trick."""
    rewards = evidence.values("critic_rewards_mean")
    if len(rewards) < STEPS_MIN:
        return GAMING.too_short(len(rewards))
    first, last = end_means(rewards)
    gain, numbers = last - first, {"first_fifth": first, "last_fifth": last}
    says = f"The reward went from {first:.3f} to {last:.3f}"
    if gain <= RISE_ERRORS * noise(rewards) * math.sqrt(2 / max(1, len(rewards) // 5)):
        return GAMING.clear(f"{says}: no rise that anything could have been won by.", numbers)
    goals, signs = _goals(evidence), _signs(evidence)
    if not goals and not signs:
        return GAMING.clear(f"{says}, without a sign of a trick.", numbers)
    if not goals:
        return GAMING.fires("warning", f"{says} while {', '.join(signs)}.", numbers)
    behind = []
    for name, (before, after) in goals.items():
        numbers |= {f"{name}_first": before, f"{name}_last": after}
        says += f", {name} from {before:.3f} to {after:.3f}"
        if after - before < FOLLOWS_SHARE * gain and after < last:
            behind.append(name)
    if not behind:
        return GAMING.clear(f"{says}.", numbers)
    seen = f" ({', '.join(signs)})." if signs else "."
    if len(behind) < len(goals):
        says += f": {' and '.join(behind)} did not follow{seen}"
        return GAMING.fires("warning", says, numbers)
    return GAMING.fires("problem", f"{says}: it pays for something else{seen}", numbers)


def reward_at_floor(evidence: Evidence) -> Finding:
    """The reward ended no higher than what a script earns that never sees a reference."""
    recorded, rewards = evidence.floor or {}, evidence.values("critic_rewards_mean")
    floor = recorded.get("score")
    if floor is None:
        why = recorded.get("left_out") or "this run did not measure it"
        return FLOOR.unknown(f"The floor of the reward is not known: {why}.")
    if len(rewards) < STEPS_MIN:
        return FLOOR.too_short(len(rewards))
    last, numbers = end_means(rewards).last_fifth, {"floor": floor}
    numbers["last_fifth"] = last
    reach = RISE_ERRORS * noise(rewards) / math.sqrt(max(1, len(rewards) // 5))
    says = f"The reward ended at {last:.3f}, its floor is {floor:.3f}"
    if floor <= 0 or last > floor + reach:
        return FLOOR.clear(f"{says}.", numbers)
    says += f": no more than a script earns that sees only the prompts ({recorded['strategy']})."
    return FLOOR.fires("warning", says, numbers)


def _goals(evidence: Evidence) -> dict[str, Ends]:
    """Return what the reward was meant to raise, by name."""
    accuracy = evidence.table("local_reward_components").get(ACCURACY, [])
    others = evidence.table("local_also_graded").items()
    values = {ACCURACY: accuracy, **{f"second opinion {name}": each for name, each in others}}
    return {name: end_means(each) for name, each in values.items() if len(each) >= STEPS_MIN}


def _signs(evidence: Evidence) -> list[str]:
    """Return what else changed with the reward that is no solving, in words."""
    found = []
    cut = _ends(evidence.values("local_truncated_share"))
    if cut and cut.last_fifth - cut.first_fifth > TRUNCATED_RISE and cut[1] >= TRUNCATED_LEAST:
        found.append(f"cut answers went from {percent(cut[0])} to {percent(cut[1])}")
    loops = _ends(values_of(sorted(evidence.looping.items())))
    if loops and loops.last_fifth - loops.first_fifth > LOOPING_RISE:
        found.append(f"answers that repeat themselves from {percent(loops[0])} to "
                     f"{percent(loops[1])}")  # fmt: skip
    length = _ends(evidence.values("response_length_mean"))
    if length and length.first_fifth > 0 and length[1] >= LENGTH_FACTOR * length[0]:
        found.append(f"answers grew from {length[0]:.0f} to {length[1]:.0f} tokens")
    return found


def _ends(values: list[float]) -> Ends | None:
    return end_means(values) if len(values) >= STEPS_MIN else None
