"""The expected share of groups that hold at least two different grades, for any group size.

Counted, without a model, as far as every prompt has that many samples; beyond, by a beta-binomial
model of solved (graded above 0) and unsolved samples, which takes all solved samples for alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sim.probe.chances import BetaBinomial, fit, mixed_chance
from sim.probe.intervals import BOOTSTRAP, Estimate, bounds, resamples, wilson

COUNTED = f"counted (hypergeometric), {BOOTSTRAP}"
MODELLED = f"beta-binomial model, {BOOTSTRAP}"


@dataclass(frozen=True)
class MixedShare:
    """The expected share for one group size, and the same for each resample of the prompts."""

    group: int
    value: float
    draws: list[float]
    method: str

    def estimate(self, prompts: int) -> Estimate:
        """Return the share with its interval; Wilson's where no resample could differ."""
        low, high = bounds(self.draws)
        if self.value in (0.0, 1.0):
            low, high = wilson(round(self.value * prompts), prompts)
        return Estimate(self.value, low, high, self.method)


class MixedGroups:
    """Answers for every group size from the same graded samples."""

    def __init__(self, grades_P_K: Sequence[Sequence[float]]) -> None:
        self._grades_P_K = grades_P_K
        self._fewest = min(len(grades_K) for grades_K in grades_P_K)
        self._even = all(len(grades_K) == self._fewest for grades_K in grades_P_K)

    def share(self, group: int) -> MixedShare | None:
        """Return the share; None where it can't be counted and the model can't be fitted.

        The model needs equally many samples of each prompt, at least 2.
        """
        if self._fewest >= group:
            return self._counted(group)
        if self._fewest < 2 or not self._even:  # noqa: PLR2004
            return None
        draws = [model.mixed_chance(group) for model in self._fits]
        return MixedShare(group, self._fit(self._solved).mixed_chance(group), draws, MODELLED)

    def _counted(self, group: int) -> MixedShare:
        import numpy as np

        chances_P = np.array([mixed_chance(grades_K, group) for grades_K in self._grades_P_K])
        draws = chances_P[resamples(len(chances_P))].mean(axis=1)
        return MixedShare(group, float(chances_P.mean()), draws.tolist(), COUNTED)

    @cached_property
    def _solved(self) -> list[int]:
        return [sum(grade > 0 for grade in grades_K) for grades_K in self._grades_P_K]

    @cached_property
    def _fits(self) -> list[BetaBinomial]:
        return [
            self._fit([self._solved[place] for place in chosen])
            for chosen in resamples(len(self._solved)).tolist()
        ]

    def _fit(self, solved_P: Sequence[int]) -> BetaBinomial:
        return fit(solved_P, self._fewest)
