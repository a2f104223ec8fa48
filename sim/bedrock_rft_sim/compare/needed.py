"""What it would take to know: how many runs, of how many steps, tell same from different.

Runs are drawn that differ by nothing but what was measured, their gain, area and unrest as normal
numbers, and the rule is asked. Longer runs have less noise in their levels; more seeds help against
the spread between seeds and against each run's own noise, never against noise that all share.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from bedrock_rft_sim.compare.decide import (
    ALPHA,
    LEAST_SEEDS,
    MEASURES,
    GroupMeasures,
    errors_of,
    may_be_same,
)
from bedrock_rft_sim.stats.shares import percent
from bedrock_rft_sim.stats.student import Array

ENOUGH: Final = 0.8
"""Chance of an answer that is called enough."""
DRAWS: Final = 1000
SEED: Final = 20261126
SEEDS: Final = (3, 5, 8, 12, 20)
LONGER: Final = (1, 2, 4, 8)
"""How many times as long runs are tried."""
SHARE_OF_GAIN: Final = ALPHA / 12
"""What is left of the error in one direction for the gain of the training rewards: half of it is
the rewards', a third of that the gain's."""


@dataclass(frozen=True)
class Noise:
    """What makes runs of one recipe differ: variances of gain, area and unrest, (3,)."""

    steps: int
    between: Array
    """Between seeds, without the noise of the steps."""
    own: Array
    """Of one run's own noise, at this many steps."""
    shared: Array
    """Of the noise in the difference of two sides that no further seed averages away, because the
    runs of a side see the same prompts; none where both sides see them."""
    source: str


SEEDS_RECORDED: Final = "its steps, and the quickstart's seeds since one run shows no spread"
_QUICKSTART_NOISE: Final = np.array([0.028, 0.015, 0.014])
_QUICKSTART_SHARED: Final = np.array([0.047, 0.025, 0.0])
_QUICKSTART_SEEDS: Final = np.array([0.030, 0.020, 0.005])
QUICKSTART_STEPS: Final = 45
QUICKSTART_PROMPTS: Final = 16
QUICKSTART_ROLLOUTS: Final = 128


def recorded(*, steps: int, prompts: int, rollouts: int) -> Noise:
    """Return the quickstart's noise, for so many steps of so many prompts and rollouts.

    Recorded on 2026-11-26 from six seeds of 45 steps with the embedded model, training rewards:
    a step's noise has standard deviation 0.058, of whose variance the seeds share 0.59 because
    they see the same prompts; the gain varies by 0.030 between seeds without that noise. The part
    of the prompts shrinks with their number, the rest with the rollouts.
    """
    length = QUICKSTART_STEPS / steps
    own = _QUICKSTART_NOISE**2 * (length * QUICKSTART_ROLLOUTS / rollouts)
    return Noise(
        steps=steps,
        between=_QUICKSTART_SEEDS**2,
        own=own,
        shared=_QUICKSTART_SHARED**2 * (length * QUICKSTART_PROMPTS / prompts),
        source="six recorded runs of the quickstart",
    )


def measured(a: GroupMeasures, b: GroupMeasures, *, steps: int, known: Array) -> Noise:
    """Return the noise that two compared sides, (runs, M), show; `known` is the shared part."""
    own = (a.own + b.own) / 2
    groups = [side.values for side in (a, b) if side.runs > 1]
    if not groups:
        return Noise(steps, _QUICKSTART_SEEDS**2, own, known, SEEDS_RECORDED)
    apart = np.concatenate([each - each.mean(axis=0) for each in groups])
    spread = np.square(apart).sum(axis=0) / (len(apart) - len(groups))
    return Noise(steps, np.maximum(0.0, spread - own), own, known, "the runs themselves")


@dataclass(frozen=True)
class Prospect:
    """What so many runs of so many steps can say."""

    a: int
    b: int
    steps: int
    same: float
    """Chance of *same shape* where nothing differs."""
    seen: float
    """Difference in gain that is called *different* in 80 % of cases."""


@dataclass(frozen=True)
class Needed:
    """What the comparison as it is can say, and what would suffice for *same shape*."""

    now: Prospect
    enough: Prospect | None
    """The fewest steps in all that give *same shape* in 80 %; None where nothing tried does."""
    best: Prospect
    """The best of all that was tried."""
    noise_from: str

    def words(self) -> str:
        """Return them as a sentence without its end."""
        now, more = self.now, self.enough or self.best
        here = f"same shape in {percent(now.same)} of cases where nothing differs"
        if more is now:
            return f"{_runs(now)} of {now.steps} steps, as here, find the {here}"
        longer = "" if more.steps == now.steps else f" of {more.steps} steps"
        enough = "would be enough" if self.enough else "are the best that was tried, not enough"
        return (
            f"{_runs(more)}{longer} {enough}: where nothing differs they find the same shape in "
            f"{percent(more.same)} of cases, {_runs(now)} as here in {percent(now.same)}"
        )


def _runs(one: Prospect) -> str:
    runs = "1 run" if one.a == 1 else f"{one.a} runs"
    return f"{runs} a side" if one.a == one.b else f"{runs} against {one.b}"


def prospect(noise: Noise, a: int, b: int, *, steps: int, margin: float) -> Prospect:
    """Return what so many runs a side, of so many steps, can say at this noise."""
    rng = np.random.default_rng(SEED)
    shorter = noise.steps / steps
    own, shared = noise.own * shorter, noise.shared * shorter
    deviation = np.sqrt(noise.between + own)
    # Drawn apart, though gain and area move together: *same* is rather likelier than is said here.
    sides = [
        GroupMeasures(
            values=rng.normal(size=(DRAWS, runs, len(MEASURES))) * deviation,
            own=np.broadcast_to(own, (DRAWS, len(MEASURES))),
            together=np.broadcast_to(own / runs + shared / 2, (DRAWS, len(MEASURES))),
        )
        for runs in (a, b)
    ]
    off = sides[1].values.mean(axis=1) - sides[0].values.mean(axis=1)
    off += rng.normal(size=off.shape) * np.sqrt(shared)
    wide, seeds, of_steps = errors_of(*sides)
    limit = np.abs(off) + np.maximum(seeds.reach(ALPHA), of_steps.reach(ALPHA))
    beyond = np.maximum(wide.reach(SHARE_OF_GAIN), of_steps.reach(SHARE_OF_GAIN))[:, 0] - off[:, 0]
    return Prospect(
        a=a,
        b=b,
        steps=steps,
        same=float((limit <= margin).all(axis=-1).mean()) if may_be_same(a, b) else 0.0,
        seen=float(np.quantile(beyond, ENOUGH)),
    )


def needed(noise: Noise, a: int, b: int, *, margin: float, jobs: int | None) -> Needed:
    """Return what is needed beyond `a` against `b` runs; `jobs` is fixed, None grows both sides."""
    now = prospect(noise, a, b, steps=noise.steps, margin=margin)
    tried = [now] + [
        prospect(noise, seeds, jobs or seeds, steps=noise.steps * times, margin=margin)
        for seeds, times in itertools.product(SEEDS, LONGER)
        if seeds >= max(LEAST_SEEDS, a)
    ]
    enough = [one for one in tried if one.same >= ENOUGH]
    return Needed(
        now=now,
        enough=min(enough, key=_cost, default=None),
        best=max(tried, key=lambda one: (one.same, -_cost(one))),
        noise_from=noise.source,
    )


def _cost(one: Prospect) -> int:
    return (one.a + one.b) * one.steps


def table(noise: Noise, *, margin: float, jobs: int | None) -> Sequence[Prospect]:
    """Return what every number of seeds and every length tried can say.

    Against `jobs` jobs, which see other prompts; or, None, against as many runs of the same ones.
    """
    if jobs is None:
        noise = replace(noise, shared=np.zeros_like(noise.shared))
    return [
        prospect(noise, seeds, jobs or seeds, steps=noise.steps * times, margin=margin)
        for times, seeds in itertools.product(LONGER, SEEDS)
    ]
