"""The course of the rewards: level, falling, parting from validation, carried by one component.

Sources: AWS reading guide (reward rises early, then levels off); Amazon Nova customization guide,
RFT monitoring (stuck under 0.15: rethink); Amazon Bedrock best-practices blog (reward hacking).
"""

from __future__ import annotations

import math
from statistics import fmean
from typing import Final

from bedrock_rft_sim.contract.limits import STUCK_REWARD
from bedrock_rft_sim.contract.sources import BEST_PRACTICES, NOVA_MONITORING
from bedrock_rft_sim.diagnosis.bend import find_bend
from bedrock_rft_sim.diagnosis.evidence import Evidence, end_means, noise, values_of
from bedrock_rft_sim.diagnosis.finding import STEPS_MIN, Diagnostic, Finding
from bedrock_rft_sim.stats.shares import percent

PLATEAU_SURE: Final = 0.80
"""Assumed: this share of resamples must bend before the last quarter."""
RISE_MIN: Final = 12.0
"""Assumed: noise alone, with the bend put where it fits best, seldom explains this much."""
STILL_RISING: Final = 0.02
"""Assumed: validation that gained more than this after the bend is still rising."""
FALL_SHARE: Final = 0.10
"""Assumed: a fall counts from a tenth of the grades' range on ..."""
FALL_ERRORS: Final = 4.0
"""... and four standard errors, since the best of many stretches is compared."""
END_STEPS_MIN: Final = 3
"""Assumed: a fall at the very end is seen from this many steps on."""
JITTER: Final = 0.11
"""Assumed: steps that scatter about their own course by more than this share of the range."""
JITTER_ERRORS: Final = 1.5
"""Assumed: up to this many times what a batch's size explains, more prompts are the remedy."""
PARTING_GAP: Final = 0.10
"""Training reward above validation by more than this, beyond chance."""
VALIDATION_FALL: Final = 0.10
"""Assumed: below its own best by more than this, beyond chance."""
CHANCE_ERRORS: Final = 2.5
"""Assumed: standard errors of a validation that chance alone may move it by."""
DOMINATING_SHARE: Final = 0.90
"""Assumed: one component carries this share of all movement."""
MOVEMENT_MIN: Final = 0.05
"""Assumed: components that moved less than this in all say nothing."""
ROOM_MIN: Final = 0.5
"""Assumed: only a component that stays below this had room to move."""

PLATEAU: Final = Diagnostic(
    "reward plateau",
    "If this level is good enough, fewer epochs give the same; if not, harder prompts, more "
    "answers per prompt or a finer reward give it something to climb.",
)
STILL_CLIMBING: Final = (
    "Greedy answers went on improving after the sampled ones levelled off, so judge the length of "
    "the run by validation."
)
NEVER_ROSE: Final = Diagnostic(
    "reward plateau",
    "Look at the share of mixed groups, then at a higher learning rate or more steps.",
    NOVA_MONITORING,
)
FALLING: Final = Diagnostic(
    "reward falling",
    "Lower the learning rate, or keep the checkpoint from before the fall; look at entropy and "
    "gradient norm where it starts.",
)
PARTING: Final = Diagnostic(
    "training and validation",
    "Read training answers that score high for shortcuts; fewer epochs, more prompts, or the "
    "checkpoint nearest to the best validation.",
    BEST_PRACTICES,
)
COMPONENTS: Final = Diagnostic("reward components")
LARGER_BATCH: Final = "Increase the batch size: so few prompts a step differ by chance alone."
UNSTABLE: Final = Diagnostic(
    "reward unstable",
    "Increase the batch size, lower the learning rate, and normalise the rewards of a batch or "
    "clip outlying grades; make sure that the reward gives the same answer the same grade.",
    BEST_PRACTICES,
)


def reward_plateau(evidence: Evidence) -> Finding:
    """Where the reward stopped rising, and how sure that is."""
    points = evidence.points("critic_rewards_mean")
    if len(points) < STEPS_MIN:
        return PLATEAU.too_short(len(points))
    bend = find_bend(values_of(points))
    step, low, high = (
        points[round(at * (len(points) - 1))][0] for at in (bend.at, bend.low, bend.high)
    )
    gain = bend.level - bend.before
    numbers = {"step": step, "low": low, "high": high, "gain": gain, "level": bend.level}
    if gain <= 0 or bend.strength < RISE_MIN:
        return _never_rose(values_of(points))
    if bend.ends_early < PLATEAU_SURE:
        says = f"Still rising at the end, or too noisy to tell ({gain:+.3f} so far)."
        return PLATEAU.clear(says, numbers)
    says = (
        f"The reward rose by {gain:.3f} up to step {step} (between {low} and {high} in 80 % of the "
        f"resamplings) and stayed near {bend.level:.3f} from there; "
        f"{percent(bend.ends_early)} of the resamplings agree that it levelled off."
    )
    remedy = ""
    validation = evidence.points("validation_rewards_mean")
    before = [value for at, value in validation if at <= step]
    if 0 < len(before) < len(validation):  # sampled and greedy answers need not agree
        last = validation[-1][1]
        says += f" Validation went from {before[-1]:.3f} to {last:.3f}."
        remedy = STILL_CLIMBING if last - before[-1] > STILL_RISING else ""
    return PLATEAU.fires("note", says, {**numbers, "sure": bend.ends_early}, remedy)


def _never_rose(values: list[float]) -> Finding:
    first, last = ends = end_means(values)
    says = f"The reward did not rise beyond its own noise: {first:.3f} at first, {last:.3f} last."
    if last >= STUCK_REWARD:
        return NEVER_ROSE.fires("warning", says, ends._asdict())
    says += f" The Nova guide says to rethink a reward stuck under {STUCK_REWARD}."
    return NEVER_ROSE.fires("problem", says, ends._asdict())


def reward_falling(evidence: Evidence) -> Finding:
    """The reward ends below what it had reached."""
    points = evidence.points("critic_rewards_mean")
    span = evidence.reward_range()
    if len(points) < STEPS_MIN or span is None:
        return FALLING.too_short(len(points))
    values = values_of(points)
    size = max(1, len(values) // 5)
    means = [fmean(values[at : at + size]) for at in range(len(values) - size + 1)]
    best = max(means)
    peak = points[means.index(best) + size // 2][0]
    last, error = _deepest_end(values, best, size)
    fall = best - last
    numbers = {"best": best, "last": last, "step": peak}
    if fall < FALL_SHARE * (span[1] - span[0]) or fall < FALL_ERRORS * error:
        says = f"It ends at {last:.3f}, its best stretch had {best:.3f}."
        return FALLING.clear(says, numbers)
    says = f"The reward fell from {best:.3f} around step {peak} to {last:.3f} at the end"
    says += f", {fall / error:.1f} standard errors." if error else "."
    return FALLING.fires("problem", says, numbers)


def _deepest_end(values: list[float], best: float, size: int) -> tuple[float, float]:
    """Return the mean of the last steps that lies furthest below the best in its own errors.

    The end is a fifth of the steps, half of that, or the last three: what fell late shows only
    in a short end.
    """
    spread = noise(values)
    ends = {size, max(END_STEPS_MIN, size // 2), min(size, END_STEPS_MIN)}
    measured = [
        (fmean(values[-end:]), spread * math.sqrt(1 / size + 1 / end)) for end in sorted(ends)
    ]
    return max(measured, key=lambda each: (best - each[0]) / (each[1] or 1.0))


def reward_unstable(evidence: Evidence) -> Finding:
    """Steps scatter widely about their course: jitter, or an oscillation."""
    values, span = evidence.values("critic_rewards_mean"), evidence.reward_range()
    if len(values) < STEPS_MIN or span is None:
        return UNSTABLE.too_short(len(values))
    width = span[1] - span[0]
    scatter = find_bend(values).scatter / width
    numbers = {"scatter": scatter}
    says = f"Steps scatter by {percent(scatter)} of the reward's range about their course"
    if scatter < JITTER:
        return UNSTABLE.clear(f"{says}.", numbers)
    remedy = ""
    if evidence.prompts_per_step:
        share = min(1.0, max(0.0, (fmean(values) - span[0]) / width))
        numbers["of_batch"] = by_chance = math.sqrt(share * (1 - share) / evidence.prompts_per_step)
        says += (
            f"; a batch of {evidence.prompts_per_step} prompts explains {percent(by_chance)} at "
            "most"
        )
        remedy = LARGER_BATCH if scatter <= JITTER_ERRORS * by_chance else ""
    return UNSTABLE.fires("warning", f"{says}.", numbers, remedy)


def validation_parts(evidence: Evidence) -> Finding:
    """Training goes on rising and validation does not: overfitting, or a hacked reward."""
    training = evidence.values("critic_rewards_mean")
    validation = evidence.values("validation_rewards_mean")
    if not training or len(validation) < 2:  # noqa: PLR2004
        return PARTING.unknown("Fewer than two validations were recorded.")
    end = end_means(training).last_fifth
    last, best = validation[-1], max(validation)
    gap, fall = end - last, best - last
    gap_min, fall_min = _beyond_chance(evidence, last, best)
    numbers = {"training": end, "validation": last, "gap": gap, "best_validation": best}
    says = f"At the end training stands at {end:.3f} and validation at {last:.3f}"
    if gap <= gap_min and fall <= fall_min:
        return PARTING.clear(f"{says} (its best {best:.3f}).", numbers)
    if gap > gap_min:
        says += f", a gap of {gap:.3f} (above {gap_min:.2f})"
    if fall > fall_min:
        says += f"; validation is {fall:.3f} below its own best (more than {fall_min:.2f})"
    return PARTING.fires("warning", f"{says}.", numbers)


def _beyond_chance(evidence: Evidence, last: float, best: float) -> tuple[float, float]:
    """Return the gap to training and the fall from the best that a set of this size can show.

    A validation of n prompts has at most the standard error of n grades at either end of the
    range. Its fall compares two of the same prompts, so it is bounded by that of one.
    """
    span, prompts = evidence.reward_range(), evidence.validation_prompts
    if span is None or not prompts:
        return PARTING_GAP, VALIDATION_FALL
    bottom, top = min(span[0], last), max(span[1], best)
    level = (last + best) / 2
    error = math.sqrt((level - bottom) * (top - level) / prompts)
    chance = CHANCE_ERRORS * error
    return max(PARTING_GAP, chance), max(VALIDATION_FALL, chance)


def component_dominates(evidence: Evidence) -> Finding:
    """One part of the reward moved and another that had room did not."""
    moved = _movements(evidence)
    total = math.fsum(abs(change) for change, _ in moved.values())
    if len(moved) < 2:  # noqa: PLR2004
        return COMPONENTS.unknown("The reward reports fewer than two components of type Reward.")
    name = max(moved, key=lambda each: abs(moved[each][0]))
    share = abs(moved[name][0]) / total if total else 0.0
    left = {n: end for n, (change, end) in moved.items() if n != name and end < ROOM_MIN}
    numbers = {"share": share, "movement": total}
    if total < MOVEMENT_MIN or share <= DOMINATING_SHARE or moved[name][0] <= 0 or not left:
        says = f"{len(moved)} components; none left the others behind."
        return COMPONENTS.clear(says, numbers)
    others = ", ".join(f"{other} at {end:.3f}" for other, end in left.items())
    carried = f"{percent(share)} of all movement ({moved[name][0]:+.3f})"
    remedy = (
        f"Read high-scoring answers: is {name} earned without the rest? Weigh it less, or let it "
        "count only together with the others."
    )
    says = f"{name} carried {carried}; left behind: {others}."
    return COMPONENTS.fires("warning", says, numbers, remedy)


def _movements(evidence: Evidence) -> dict[str, tuple[float, float]]:
    """Return by component its change from first to last fifth, and its mean in the last."""
    wanted = evidence.reward_components
    series: dict[str, list[float]] = {}
    for line in evidence.lines:
        components = line.get("local_reward_components")
        for name, value in components.items() if isinstance(components, dict) else ():
            if wanted is None or name in wanted:
                series.setdefault(name, []).append(float(value))
    ends = {name: end_means(values) for name, values in series.items() if len(values) >= STEPS_MIN}
    return {name: (last - first, last) for name, (first, last) in ends.items()}
