"""The mean over a run's steps, validations or invocations, with how sure it is.

Student's t instead of the bootstrap, because a short run has two or three steps, from which a
bootstrap draws far too narrow an interval.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from bedrock_rft_sim.estimate.quantity import Quantity
from bedrock_rft_sim.stats.student import reach_of_mean

REACH_MIN = 0.05
"""No interval is narrower, as a share of the mean: the steps of one run do not show by how much
another run on the same machine differs (two seeds of the quickstart did by 7 %)."""


def mean_over_units(values: Sequence[float]) -> Quantity | None:
    """Return the mean with its interval; None without a value, no interval for a single one."""
    if not values:
        return None
    mean, reach = statistics.fmean(values), reach_of_mean(values)
    if reach is None:
        return Quantity(mean, None, None, "measured")
    reach = max(reach, REACH_MIN * abs(mean))
    return Quantity(mean, max(0.0, mean - reach), mean + reach, "measured")
