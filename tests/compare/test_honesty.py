"""How often the rule errs, and how often it sees what is there, where the truth is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bedrock_rft_sim.compare import compare

PAIRS = 100
MOST = 0.05
Make = Callable[..., Any]


@pytest.fixture
def verdicts(process: Make) -> Callable[..., tuple[dict[str, float], dict[str, float]]]:
    """Return a function giving the share of each verdict, in all and on the training rewards."""

    def count(
        a: int, b: int, *, shift: float = 0.0, **changes: float
    ) -> tuple[dict[str, float], dict[str, float]]:
        rng = np.random.default_rng(7)
        one = process(**changes)
        other = process(**{**changes, "gain": one.gain - shift})
        found = [compare(one.draw(rng, a), other.draw(rng, b), resamples=0) for _ in range(PAIRS)]
        in_all = Counter(each.verdict for each in found)
        rewards = Counter(each.metrics[0].verdict for each in found)
        return (
            {name: times / PAIRS for name, times in in_all.items()},
            {name: times / PAIRS for name, times in rewards.items()},
        )

    return count


@pytest.mark.parametrize(
    ("a", "b", "changes"),
    [
        (5, 5, {}),
        (3, 3, {"shared": 0.7}),
        (5, 5, {"dependence": 0.6}),
        (3, 3, {"seed_spread": 0.1}),
        (3, 1, {}),
        (3, 1, {"shared": 0.7, "seed_spread": 0.1}),
        (1, 1, {"seed_spread": 0.1}),
    ],
    ids=str,
)
def test_runs_of_one_process_are_seldom_called_different(
    a: int, b: int, changes: dict[str, float], verdicts: Make
) -> None:
    in_all, _ = verdicts(a, b, **changes)
    assert in_all.get("different", 0.0) <= MOST


@pytest.mark.parametrize("noise", [0.05, 0.015])
def test_a_gain_that_differs_by_fifteen_hundredths_is_seldom_called_the_same(
    noise: float, verdicts: Make
) -> None:
    in_all, rewards = verdicts(5, 5, shift=0.15, noise=noise)
    assert in_all.get("same shape", 0.0) <= MOST
    assert rewards.get("same shape", 0.0) <= MOST


@pytest.mark.parametrize(("a", "b", "least"), [(5, 5, 0.95), (3, 3, 0.8), (3, 1, 0.8)])
def test_a_gain_that_differs_by_four_tenths_is_mostly_called_different(
    a: int, b: int, least: float, verdicts: Make
) -> None:
    in_all, _ = verdicts(a, b, shift=0.4)
    assert in_all.get("different", 0.0) >= least


@pytest.mark.parametrize(
    ("a", "b", "noise", "least"), [(5, 5, 0.05, 0.3), (5, 5, 0.015, 0.9), (5, 1, 0.015, 0.7)]
)
def test_runs_of_one_process_can_be_called_the_same(
    a: int, b: int, noise: float, least: float, verdicts: Make
) -> None:
    _, rewards = verdicts(a, b, noise=noise, seed_spread=min(0.03, noise))
    assert rewards.get("same shape", 0.0) >= least


@pytest.mark.parametrize(("a", "b"), [(1, 1), (2, 1)])
def test_too_few_seeds_are_never_called_the_same(a: int, b: int, verdicts: Make) -> None:
    in_all, rewards = verdicts(a, b, noise=0.001, seed_spread=0.001)
    assert "same shape" not in in_all
    assert "same shape" not in rewards
