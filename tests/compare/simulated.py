"""Learning curves whose truth is known, as noisy and as alike as recorded seeds are.

The defaults are the quickstart's: six seeds of 45 steps, 16 prompts of 8 answers, recorded on
2026-11-26; the README of `compare` has the figures.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bedrock_rft_sim.compare import decide
from bedrock_rft_sim.compare.axis import PlacedSeries
from bedrock_rft_sim.compare.series import Curve, Curves
from bedrock_rft_sim.compare.summary import GRID, level_weights, smoother, summarise, summarise_rows
from bedrock_rft_sim.compare.words import LEAST_CORRELATION, TRAINING_REWARD
from bedrock_rft_sim.stats.ranks import spearman_rows
from bedrock_rft_sim.stats.student import Array

SPEED = 3.0
"""Standard deviation of log(tau) between seeds, for each unit of the gain's."""
Drawn = Mapping[str, Array]
"""By metric, (pairs, runs, steps)."""


@dataclass(frozen=True)
class Process:
    """What a run is drawn from: a climb to a plateau, and what differs from seed to seed."""

    gain: float = 0.5
    """Of the reward without noise, by the definition of `bedrock_rft_sim.compare.summary`."""
    steps: int = 45
    start: float = 0.31
    tau: float = 0.17
    """Share of the run after which 63 % of the way are made."""
    noise: float = 0.058
    """Standard deviation of a step's noise: of the reward, and relative for the others."""
    dependence: float = 0.0
    """Of a step's noise on the step before (AR(1))."""
    shared: float = 0.0
    """Share of the noise's variance that all seeds of a side have in common (same prompts)."""
    seed_spread: float = 0.03
    """Standard deviation of gains between seeds."""
    binary: bool = False
    """Whether grades are 0 or 1, so that the noise shrinks towards either end."""
    swing: float = 0.0
    """Amplitude of an oscillation of the reward."""
    period: float = 8.0
    """Of the oscillation, in steps."""
    collapse: int = 0
    """Steps in the middle of the run at which the reward is 0."""
    entropy: float = -0.35
    length: float = 0.28

    def rise(self, tau: Array) -> Array:
        """Return the share of the way that is made, (..., steps), for tau of shape (...)."""
        time = np.arange(1, self.steps + 1) / self.steps
        return (1 - np.exp(-time / tau[..., None])) / (1 - np.exp(-1 / tau[..., None]))

    @functools.cache  # noqa: B019 - frozen, and few
    def height(self) -> float:
        """Return how high the curve must climb for the gain to be as promised."""
        low, high = -1.5, 1.5
        rise = self.rise(np.array(self.tau))
        for _ in range(50):
            middle = (low + high) / 2
            series = PlacedSeries(
                np.arange(self.steps) / 1.0, self.start + (1 - self.start) * middle * rise
            )
            found = summarise(series, top=1.0)
            assert found is not None
            low, high = (middle, high) if found.gain < self.gain else (low, middle)
        return low

    def draw_many(
        self, rng: np.random.Generator, pairs: int, runs: int, *, common: Array | None = None
    ) -> Drawn:
        """Return runs that differ in their seed; `common` is the noise that they share."""
        shape = (pairs, runs)
        common = self.common(rng, pairs) if common is None else common

        def noise(place: int) -> Array:
            own = np.sqrt(1 - self.shared) * self._noise(rng, shape)
            return self.noise * (np.sqrt(self.shared) * common[place][:, None] + own)

        means = self.means(rng, shape, self.scales())
        reward = means[0] + self.swing * np.cos(2 * np.pi * np.arange(self.steps) / self.period)
        middle = self.steps // 2
        reward[..., middle : middle + self.collapse] = 0.0
        reward = np.clip(reward, 0.0, 1.0)
        scale = np.sqrt(4 * reward * (1 - reward)) if self.binary else 1.0
        return {
            TRAINING_REWARD: np.clip(reward + scale * noise(0), 0.0, 1.0),
            "actor_entropy": 0.17 * (means[1] + noise(1)),
            "response_length_mean": 31 * (means[2] + noise(2)),
        }

    def means(self, rng: np.random.Generator, shape: tuple[int, ...], scales: Array) -> list[Array]:
        """Return reward, entropy and length without noise, the latter two relative, (..., steps).

        Seeds differ in how high a curve climbs and how fast.
        """
        speed = SPEED * self.seed_spread * scales[:, None, None] * rng.normal(size=(3, *shape))
        high = self.seed_spread * scales[:, None, None] * rng.normal(size=(3, *shape))
        rise = self.rise(self.tau * np.exp(np.clip(speed, -1, 1)))
        reward = self.start + (1 - self.start) * (self.height() + high[0][..., None]) * rise[0]
        entropy = np.exp((np.log1p(self.entropy) + high[1][..., None]) * rise[1])
        length = np.exp((np.log1p(self.length) + high[2][..., None]) * rise[2])
        return [np.clip(reward, 0.0, 1.0), entropy, length]

    @functools.cache  # noqa: B019 - frozen, and few
    def scales(self) -> Array:
        """Return what makes the standard deviation of each gain the promised one, (3,)."""
        scales, weights = np.ones(3), level_weights(np.arange(1.0, self.steps + 1))
        for _ in range(6):
            drawn = self.means(np.random.default_rng(1), (1, 600), scales)
            for place, y in enumerate(drawn):
                start, end, _ = weights @ y[0].T
                gain = (end - start) / (start if place else 1 - start)
                scales[place] *= self.seed_spread / gain.std()
        return scales

    def common(self, rng: np.random.Generator, pairs: int) -> Array:
        """Return noise of variance 1 that runs may share, (metrics, pairs, steps)."""
        return self._noise(rng, (3, pairs))

    def _noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        independent = rng.normal(size=(*shape, self.steps))
        return (
            independent @ _root(self.steps, self.dependence).T if self.dependence else independent
        )

    def draw(self, rng: np.random.Generator, count: int) -> list[Curves]:
        """Return runs that differ in their seed."""
        drawn = self.draw_many(rng, 1, count)
        return [
            curves_of(f"seed{seed}", **{name: y[0, seed] for name, y in drawn.items()})
            for seed in range(count)
        ]


@functools.cache
def _root(steps: int, dependence: float) -> Array:
    """Return what turns independent noise into AR(1) noise of variance 1."""
    places = np.arange(steps)
    return np.linalg.cholesky(dependence ** np.abs(places[:, None] - places[None, :]))


def curves_of(name: str, *, prompts: int | None = 16, **values: Array) -> Curves:
    """Return curves with a value at each step from 1."""
    series = {
        metric: Curve(metric, tuple(range(1, len(each) + 1)), tuple(map(float, each)))
        for metric, each in values.items()
    }
    total = max(len(each) for each in values.values())
    return Curves(name, "run", series, total_steps=total, prompts_per_step=prompts)


def verdicts(a: Drawn, b: Drawn, *, margin: float = decide.MARGIN) -> Array:
    """Return what `compare` says of each pair as a whole, (pairs,), without its words."""
    tests, same = [], []
    for name in a:
        sides, curves = zip(*(_side(each[name], name) for each in (a, b)), strict=True)
        points = a[name].shape[-1]
        found = decide.shape_tests(*sides, points=points, margin=margin)
        level = (decide.direction(sides[0]) == 0) | (decide.direction(sides[1]) == 0)
        agree = np.nan_to_num(spearman_rows(*curves), nan=-1.0) >= LEAST_CORRELATION
        same.append(decide.is_same(found) & (agree | level))
        tests.append(found)
    adjusted = decide.adjusted(tests, first=0)
    pairs = zip(tests, adjusted, same, strict=True)
    different = np.any([decide.apart(one, p).any(-1) & ~alike for one, p, alike in pairs], axis=0)
    called = np.where(np.all(same, axis=0), "same shape", "cannot tell")
    return np.where(different, "different", called)


def _side(y: Array, name: str) -> tuple[decide.GroupMeasures, Array]:
    pairs, runs, steps = y.shape
    x = np.arange(1.0, steps + 1)
    top = 1.0 if name == TRAINING_REWARD else None
    rows = summarise_rows(x, y.reshape(-1, steps), top=top)
    side = decide.side_of(
        rows.measures.reshape(pairs, runs, -1),
        rows.residuals.reshape(pairs, runs, -1),
        rows.weights.reshape(pairs, runs, 2, steps),
    )
    grid = np.linspace(x[0], x[-1], GRID)
    onto = np.stack([np.interp(grid, x, row) for row in np.eye(steps)], axis=1) @ smoother(steps)
    return side, rows.y.reshape(pairs, runs, steps).mean(axis=1) @ onto.T


def rates(
    one: Process, other: Process, a: int, b: int, *, pairs: int, seed: int = 7, paired: bool = False
) -> dict[str, float]:
    """Return the share of each verdict; `paired` lets both sides share the same noise."""
    rng = np.random.default_rng(seed)
    common = one.common(rng, pairs) if paired else None
    found = verdicts(
        one.draw_many(rng, pairs, a, common=common), other.draw_many(rng, pairs, b, common=common)
    )
    names = ("same shape", "different", "cannot tell")
    return {name: float((found == name).mean()) for name in names}
