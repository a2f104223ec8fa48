"""The mean over a run's steps, validations or invocations, with how sure it is.

Student's t instead of the bootstrap, because a short run has two or three steps, from which a
bootstrap draws far too narrow an interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bedrock_rft_sim.compare.student import critical
from bedrock_rft_sim.estimate.quantity import Quantity

UNITS_MIN = 2
"""What a single step would have been another time, nobody knows."""
TAIL = 0.025
"""On each side of a 95 % interval."""
REACH_MIN = 0.05
"""No interval is narrower, as a share of the mean: the steps of one run do not show by how much
another run on the same machine differs (two seeds of the quickstart did by 7 %)."""


def mean_over_units(values: Sequence[float]) -> Quantity | None:
    """Return the mean with its interval; None without a value, no interval for a single one."""
    if not values:
        return None
    count = len(values)
    mean = math.fsum(values) / count
    if count < UNITS_MIN:
        return Quantity(mean, None, None, "measured")
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    reach = critical(TAIL, count - 1) * math.sqrt(variance / count)
    reach = max(reach, REACH_MIN * abs(mean))
    return Quantity(mean, max(0.0, mean - reach), mean + reach, "measured")
