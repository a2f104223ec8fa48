"""What graded samples of prompts say about groups: pass@k, and how many groups would be mixed.

A group is mixed when at least two of its grades differ; only such groups teach (every advantage of
the others is 0).

Counted, without a model, up to the largest size K for which half of the prompts have the samples.
Beyond, what matters is the risk that the next sample is the first to differ from those before it.
Risks never rise from one sample to the next, whatever the grades are: a prompt that has stayed
alike so long is the likelier to be one that always does. So 1 / risk is continued along a straight
line (exact where success rates follow a beta distribution, and where all prompts are alike).

The interval of a continued share does not trust that line. A larger group is mixed at least as
often as one of K, and at most as often as if samples K + 1, K + 2, ... each made as many groups
mixed as the K-th did, or as if the prompts were all alike (Jensen's inequality).

Axis suffixes: `_P` prompts, `_K` samples of a prompt.

Sources: Chen et al., "Evaluating Large Language Models Trained on Code", 2021 (unbiased pass@k);
the hypergeometric distribution.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bedrock_rft_sim.probe.intervals import WILSON, Share, share_over_prompts

COUNTED = f"counted (hypergeometric), {WILSON}"
CONTINUED = "continued beyond the samples, bounds without a model"
SMALLEST_CONTINUED = 4
"""Two risks a few samples apart are needed to see how they fall."""
PROMPTS_SHARE_MIN = 0.5
"""Of the prompts, this share must have the samples for a size to be counted."""


def pass_at(k: int, *, solved: int, samples: int) -> float:
    """Return the unbiased chance that at least one of k samples is solved; k <= samples."""
    return 1.0 - math.comb(samples - solved, k) / math.comb(samples, k)


def mixed_chance(grades_K: Sequence[float], group: int) -> float:
    """Return the unbiased chance that a group of this size holds two different grades.

    All samples of the prompt were drawn alike, so a group is any `group` of them, and those with
    one grade only are counted; `group` must not exceed the number of samples.
    """
    alike = sum(math.comb(count, group) for count in Counter(grades_K).values())
    return 1.0 - alike / math.comb(len(grades_K), group)


@dataclass(frozen=True)
class MixedShare:
    """The expected share for one group size."""

    estimate: Share
    chances_P: tuple[float, ...] | None
    """By prompt, where they were counted; None where the share is continued."""


class MixedGroups:
    """Answers for every group size from the same graded samples."""

    def __init__(self, grades_P_K: Sequence[Sequence[float]]) -> None:
        sizes = sorted((len(grades_K) for grades_K in grades_P_K), reverse=True)
        self.counted_to = sizes[math.ceil(PROMPTS_SHARE_MIN * len(sizes)) - 1]
        """K: the largest group size that is counted."""
        self._grades_P_K = grades_P_K
        self._counted_so_far: dict[int, MixedShare] = {}

    def share(self, group: int) -> MixedShare | None:
        """Return the share; None where it can be neither counted nor continued."""
        if group <= self.counted_to:
            return self._counted(group)
        if self.counted_to < SMALLEST_CONTINUED:
            return None
        return MixedShare(self._continued(group), None)

    def _counted(self, group: int) -> MixedShare:
        if group not in self._counted_so_far:
            self._counted_so_far[group] = self._count(group)
        return self._counted_so_far[group]

    def _count(self, group: int) -> MixedShare:
        """Count over the prompts with that many samples; never less than for a smaller group."""
        chances_P = self._chances(group)
        found = share_over_prompts(chances_P)
        if group > 2:  # noqa: PLR2004  no group is smaller than two
            smaller = self._counted(group - 1)
            if smaller.estimate.value > found.value:
                return smaller
        share = Share(found.value, found.low, found.high, COUNTED)
        return MixedShare(share, tuple(chances_P))

    def _chances(self, group: int, *, samples: int | None = None) -> list[float]:
        least = samples or group
        return [mixed_chance(g, group) for g in self._grades_P_K if len(g) >= least]

    def _continued(self, group: int) -> Share:
        counted = self._counted(self.counted_to).estimate
        high = self._at_most(counted.high, group)
        alike = (1 - counted.value) * self._stay_alike(group)
        value = min(1 - alike, high)
        return Share(value, min(counted.low, value), high, CONTINUED)

    def _stay_alike(self, group: int) -> float:
        """Return the chance that a group alike at K is still alike at this size."""
        last, middle = self._risk(self.counted_to), self._risk(self.counted_to // 2)
        if last == 0:
            return 1.0
        rise = max(0.0, (1 / last - 1 / middle) / (self.counted_to - self.counted_to // 2))
        return math.prod(
            1 - 1 / (1 / last + more * rise) for more in range(1, group - self.counted_to + 1)
        )

    def _risk(self, size: int) -> float:
        """Return the chance that this sample of a group is the first to differ."""
        before, after = (1 - self._mean(each) for each in (size - 1, size))
        return (before - after) / before if before > 0 else 0.0

    def _mean(self, size: int) -> float:
        if size == 1:
            return 0.0
        chances_P = self._chances(size, samples=self.counted_to)
        return math.fsum(chances_P) / len(chances_P)

    def _at_most(self, counted_high: float, group: int) -> float:
        """Return the largest share that what was counted allows, without a model."""
        size = self.counted_to
        now, before = (self._chances(each, samples=size) for each in (size, size - 1))
        # In at most 1 of `size` orders is the odd one the last of its group.
        odd_P = [min(1.0, size * (a - b)) for a, b in zip(now, before, strict=True)]
        steady = counted_high + (group - size) * share_over_prompts(odd_P).high / size
        alike = 1 - (1 - counted_high) ** ((group - 1) / (size - 1))
        return min(1.0, steady, alike)
