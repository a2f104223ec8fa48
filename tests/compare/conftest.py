"""Runs drawn from a process whose truth is known (`tests.compare.simulated`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bedrock_rft_sim.compare.series import Curves
from tests.compare.simulated import Process, curves_of


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
