"""How often the rule errs, and how often it sees what is there, where the truth is known.

A small part of what `scripts/bench_verdicts` counts, 100 pairs a cell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bedrock_rft_sim.compare import compare
from tests.compare.simulated import Process, curves_of, rates, verdicts

PAIRS = 100
MOST = 0.05
CHANCE = 0.04
"""Two standard errors of a share of 5 % among so many pairs."""
Make = Callable[..., Any]


@pytest.mark.parametrize("spread", [0.03, 0.3])
@pytest.mark.parametrize(("a", "b"), [(1, 1), (2, 1), (3, 1), (5, 1), (3, 3)])
def test_runs_of_one_process_are_seldom_called_different(
    a: int, b: int, spread: float, process: Make
) -> None:
    one = process(seed_spread=spread, shared=0.6)
    assert rates(one, one, a, b, pairs=PAIRS)["different"] <= MOST + CHANCE


@pytest.mark.parametrize("changes", [{"binary": True}, {"dependence": 0.6}, {"steps": 100}])
def test_neither_binary_grades_nor_dependent_steps_make_runs_different(
    changes: dict[str, Any], process: Make
) -> None:
    one = process(shared=0.6, **changes)
    assert rates(one, one, 3, 1, pairs=PAIRS)["different"] <= MOST + CHANCE


@pytest.mark.parametrize(("noise", "spread"), [(0.058, 0.03), (0.015, 0.01)])
@pytest.mark.parametrize(("a", "b"), [(3, 1), (5, 5)])
def test_a_gain_that_differs_by_the_margin_is_seldom_called_the_same(
    a: int, b: int, noise: float, spread: float, process: Make
) -> None:
    one = process(noise=noise, seed_spread=spread)
    other = process(noise=noise, seed_spread=spread, gain=one.gain - 0.1)
    assert rates(one, other, a, b, pairs=PAIRS)["same shape"] <= MOST + CHANCE


@pytest.mark.parametrize(("a", "b", "least"), [(5, 5, 0.95), (3, 3, 0.9), (5, 1, 0.9)])
def test_a_gain_that_differs_by_four_tenths_is_mostly_called_different(
    a: int, b: int, least: float, process: Make
) -> None:
    found = rates(process(shared=0.6), process(shared=0.6, gain=0.1), a, b, pairs=PAIRS)
    assert found["different"] >= least


def test_runs_that_see_the_same_prompts_can_be_called_the_same(process: Make) -> None:
    one = process(shared=0.6)
    assert rates(one, one, 5, 5, pairs=PAIRS, paired=True)["same shape"] >= 0.6


@pytest.mark.parametrize(("a", "b"), [(1, 1), (2, 1)])
def test_too_few_seeds_are_never_called_the_same(a: int, b: int, process: Make) -> None:
    one = process(noise=0.001, seed_spread=0.001)
    assert rates(one, one, a, b, pairs=PAIRS)["same shape"] == 0


@pytest.mark.parametrize(("a", "b"), [(1, 1), (3, 1), (4, 3)])
def test_what_is_counted_here_is_what_compare_says(a: int, b: int) -> None:
    rng, pairs = np.random.default_rng(2), 12
    seen = set()
    for gain in (0.5, 0.45, 0.1):
        one = Process(noise=0.01, seed_spread=0.01)
        other = Process(noise=0.01, seed_spread=0.01, gain=gain)
        drawn = [one.draw_many(rng, pairs, a), other.draw_many(rng, pairs, b)]
        counted = verdicts(*drawn)
        for pair in range(pairs):
            sides = [side_of_pair(each, pair) for each in drawn]
            assert compare(*sides, resamples=0).verdict == counted[pair]
        seen.update(counted)
    assert len(seen) > 1 or (a, b) == (1, 1)


def side_of_pair(drawn: Any, pair: int) -> Any:
    runs = len(next(iter(drawn.values()))[pair])
    return [
        curves_of(f"seed{n}", **{name: y[pair, n] for name, y in drawn.items()})
        for n in range(runs)
    ]
