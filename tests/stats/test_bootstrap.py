"""The block bootstrap against its closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bedrock_rft_sim.stats.bootstrap import (
    BootstrapInterval,
    block_length,
    block_variance,
    interval_of,
    moving_blocks,
)


def test_the_closed_form_of_the_block_bootstrap_is_what_resampling_comes_to() -> None:
    rng = np.random.default_rng(1)
    noise = np.convolve(rng.normal(size=404), [1.0, 0.8, 0.6, 0.4, 0.2], mode="valid")
    noise -= noise.mean()
    length = block_length(len(noise))
    means = moving_blocks(noise, length * 50, 20_000, rng).mean(axis=1)
    assert means.var() * length * 50 == pytest.approx(block_variance(noise), rel=0.05)
    assert block_variance(noise) > 2 * noise.var()  # neighbours that agree count for less


def test_an_interval_leaves_out_the_replicates_that_are_not_known() -> None:
    known = np.arange(1001.0)
    found = interval_of(500.0, np.append(known, math.nan))
    assert (found.low, found.high) == (25.0, 975.0)
    assert interval_of(500.0, np.array([math.nan])) == BootstrapInterval(500.0, None, None)
    assert interval_of(None, known) == BootstrapInterval(None, None, None)
