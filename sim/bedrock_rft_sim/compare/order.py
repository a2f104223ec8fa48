"""Whether the recipe that is better at home is the better one in the cloud too.

Recipes are ordered by the reward at the end of the run: on validation where every run has one, in
training otherwise. Kendall's tau-b says how far the two orders agree, and the bootstrap over seeds
and steps how sure that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np

from bedrock_rft_sim.compare.axis import place, thin
from bedrock_rft_sim.compare.resample import RESAMPLES, SEED
from bedrock_rft_sim.compare.series import Curves
from bedrock_rft_sim.compare.summary import level_weights, scaled_residuals, without_far_off
from bedrock_rft_sim.contract.metrics import metric
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.stats.bootstrap import BootstrapInterval, interval_of, moving_blocks
from bedrock_rft_sim.stats.ranks import kendall, kendall_rows
from bedrock_rft_sim.stats.shares import percent
from bedrock_rft_sim.stats.student import Array

OrderVerdict = Literal["same order", "different", "cannot tell"]

BY: Final = ("validation_rewards_mean", "critic_rewards_mean")
LEAST_POINTS: Final = 4
END: Final = 1
"""Row of the level at the end in `level_weights`."""


@dataclass(frozen=True)
class RecipeOrder:
    """The order of recipes at home against their order in the cloud."""

    verdict: OrderVerdict
    words: str
    by: str
    """The title of what they are ordered by."""
    local: tuple[float, ...]
    """The reward at the end, by recipe."""
    cloud: tuple[float, ...]
    kendall_tau: BootstrapInterval

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def order(
    local: Sequence[Sequence[Curves]],
    cloud: Sequence[Sequence[Curves]],
    *,
    resamples: int = RESAMPLES,
) -> RecipeOrder:
    """Compare the order of recipes: `local[i]` and `cloud[i]` are runs of the same one.

    Raises:
        DataError: fewer than two recipes, or a run without reward.
    """
    if len(local) != len(cloud) or len(local) < 2:  # noqa: PLR2004
        raise DataError(
            "an order needs two recipes or more, each at home and in the cloud",
            found=f"{len(local)} at home, {len(cloud)} in the cloud",
        )
    by = next((name for name in BY if _all_have(name, (*local, *cloud))), BY[-1])
    rng = np.random.default_rng(SEED)
    at_home = [_levels(group, by, resamples, rng) for group in local]
    away = [_levels(group, by, resamples, rng) for group in cloud]
    scores = tuple(level for level, _ in at_home), tuple(level for level, _ in away)
    replicates = [np.stack([drawn for _, drawn in side], axis=1) for side in (at_home, away)]
    taus = kendall_rows(*replicates)
    tau = interval_of(kendall(*scores), taus)
    seeds = min(len(group) for group in local)
    verdict, words = _words(tau, taus, recipes=len(local), seeds=seeds)
    return RecipeOrder(verdict, words, metric(by).console_title or by, scores[0], scores[1], tau)


def _all_have(name: str, groups: Sequence[Sequence[Curves]]) -> bool:
    return all(
        name in run.series and len(run.series[name].steps) >= LEAST_POINTS
        for group in groups
        for run in group
    )


def _levels(
    group: Sequence[Curves], name: str, count: int, rng: np.random.Generator
) -> tuple[float, Array]:
    """Return the group's reward at the end, and its bootstrap replicates, (count,)."""
    found, drawn = [], []
    for run in group:
        series = place(run, name, "share")
        if series is None or len(series.x) < LEAST_POINTS:
            raise DataError(
                "has too few rewards to be ordered",
                where=run.source,
                expected=f"{LEAST_POINTS} steps with {name}",
                found="none" if series is None else f"{len(series.x)}",
            )
        series = thin(series)
        weights = level_weights(series.x)[END]
        y = without_far_off(series.y[None, :])[0][0]
        left = scaled_residuals(y)
        found.append(float(weights @ y))
        drawn.append(found[-1] + moving_blocks(left, len(series.y), count, rng) @ weights)
    chosen = rng.integers(len(group), size=(count, len(group)))
    replicates: Array = np.stack(drawn, axis=1)[np.arange(count)[:, None], chosen].mean(axis=1)
    return float(np.mean(found)), replicates


def _words(
    tau: BootstrapInterval, taus: Array, *, recipes: int, seeds: int
) -> tuple[OrderVerdict, str]:
    if tau.value is None or tau.low is None or tau.high is None:
        return "cannot tell", f"all {recipes} recipes end alike on one side: there is no order"
    found = (
        f"Kendall's tau {tau.value:+.2f} ({tau.low:+.2f} to {tau.high:+.2f}) of {recipes} recipes"
    )
    if seeds < 2:  # noqa: PLR2004
        return "cannot tell", f"{found}; one seed at home never settles an order"
    if tau.low > 0:
        return "same order", f"{found}: the order at home is the order in the cloud"
    if tau.high < 0:
        return "different", f"{found}: the order at home is turned round in the cloud"
    share = percent(float((taus > 0).mean()))
    return "cannot tell", f"{found}; the orders agree in {share} of the resamples"
