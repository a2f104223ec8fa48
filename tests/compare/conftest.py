"""Learning curves whose truth is known, as noisy and as alike as the quickstart's seeds suggest."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from bedrock_rft_sim.compare.axis import PlacedSeries
from bedrock_rft_sim.compare.series import Curve, Curves
from bedrock_rft_sim.compare.summary import summarise


@dataclass(frozen=True)
class Process:
    """What a run is drawn from. The three local runs have noise 0.05 and spread 0.014."""

    gain: float = 0.6
    """Of the reward without noise, by the definition of `bedrock_rft_sim.compare.summary`."""
    steps: int = 45
    start: float = 0.38
    noise: float = 0.05
    """Standard deviation of a step's noise: of the reward, and relative for the others."""
    dependence: float = 0.3
    """Of a step's noise on the step before (AR(1))."""
    shared: float = 0.0
    """Share of the noise's variance that all seeds of a draw have in common."""
    seed_spread: float = 0.03
    """Standard deviation of the gain between seeds."""
    entropy: float = -0.4
    length: float = 0.35

    def rise(self, tau: float = 0.25) -> np.ndarray:
        time = np.arange(1, self.steps + 1) / self.steps
        return (1 - np.exp(-time / tau)) / (1 - np.exp(-1 / tau))

    def reward(self, height: float, tau: float = 0.25) -> np.ndarray:
        return self.start + (1 - self.start) * height * self.rise(tau)

    @functools.cache  # noqa: B019 - frozen, and few
    def height(self) -> float:
        """Return how high the curve must climb for the gain to be as promised."""
        low, high = -1.5, 1.5
        for _ in range(50):
            middle = (low + high) / 2
            series = PlacedSeries(np.arange(self.steps) / 1.0, self.reward(middle))
            found = summarise(series, top=1.0)
            assert found is not None
            low, high = (middle, high) if found.gain < self.gain else (low, middle)
        return low

    def draw(self, rng: np.random.Generator, count: int) -> list[Curves]:
        """Return runs that differ in their seed."""
        height, common = self.height(), self._noise(rng)
        return [self._run(rng, height, common, f"seed{seed}") for seed in range(count)]

    def _run(
        self, rng: np.random.Generator, height: float, common: np.ndarray, name: str
    ) -> Curves:
        def noise() -> np.ndarray:
            own = np.sqrt(1 - self.shared) * self._noise(rng)
            return self.noise * (np.sqrt(self.shared) * common + own)

        tau = 0.25 * np.exp(0.1 * rng.normal())
        rise, spread = self.rise(tau), self.seed_spread * rng.normal(size=3)
        return curves_of(
            name,
            critic_rewards_mean=self.reward(height + spread[0], tau) + noise(),
            actor_entropy=0.17 * (1 + (self.entropy + spread[1]) * rise + noise()),
            response_length_mean=31 * (1 + (self.length + spread[2]) * rise + noise()),
        )

    def _noise(self, rng: np.random.Generator) -> np.ndarray:
        return _root(self.steps, self.dependence) @ rng.normal(size=self.steps)


@functools.cache
def _root(steps: int, dependence: float) -> np.ndarray:
    """Return what turns independent noise into AR(1) noise of variance 1."""
    places = np.arange(steps)
    return np.linalg.cholesky(dependence ** np.abs(places[:, None] - places[None, :]))


def curves_of(name: str, *, prompts: int | None = 16, **values: np.ndarray) -> Curves:
    """Return curves with a value at each step from 1."""
    series = {
        metric: Curve(metric, tuple(range(1, len(each) + 1)), tuple(map(float, each)))
        for metric, each in values.items()
    }
    total = max(len(each) for each in values.values())
    return Curves(name, "run", series, total_steps=total, prompts_per_step=prompts)


@pytest.fixture
def process() -> Callable[..., Process]:
    """Return a function that makes a process, with these changes."""
    return lambda **changes: replace(Process(), **changes)


@pytest.fixture
def runs() -> Callable[..., list[Curves]]:
    """Return a function that draws runs from a process, with these changes."""

    def draw(count: int, *, seed: int = 0, **changes: float) -> list[Curves]:
        return replace(Process(), **changes).draw(np.random.default_rng(seed), count)

    return draw


@pytest.fixture(name="curves_of")
def make_curves() -> Callable[..., Curves]:
    """Return the function that makes curves from values."""
    return curves_of
