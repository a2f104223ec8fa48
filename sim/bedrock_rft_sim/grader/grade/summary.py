"""The scores of one reward: how many, how high, how spread, and what failed.

An answer without a score is counted with its error and is no 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bedrock_rft_sim.grader import Grade
from bedrock_rft_sim.grader.fault_search import Broken

DISTINCT_MAX = 12
"""Up to this many different scores are counted one by one, more in bins."""
BINS = 10
FIRST_IDS = 3


@dataclass
class Failures:
    """What failed in one way."""

    kind: str
    message: str
    """Of the first."""
    count: int = 0
    first_ids: list[str] = field(default_factory=list)


class Scores:
    """One reward's scores in the order of the answers, growing batch by batch."""

    def __init__(self, reward: str) -> None:
        self.reward = reward
        self.values: list[float | None] = []
        self.failures: dict[str, Failures] = {}
        self._components: dict[str, tuple[int, float]] = {}

    def add(self, outcomes: Sequence[Grade | Broken]) -> list[float | None]:
        """Take in a batch and return its scores, None where there is none."""
        scores = [self._score(outcome) for outcome in outcomes]
        self.values += scores
        return scores

    @property
    def failed(self) -> int:
        """How many answers have no score."""
        return sum(failure.count for failure in self.failures.values())

    def as_json(self) -> dict[str, Any]:
        """Return the summary, JSON-ready; a number that can't be known is None."""
        known = [value for value in self.values if value is not None]
        mean = _mean(known)
        return {
            "reward": self.reward,
            "answers": len(self.values),
            "scored": len(known),
            "mean": mean,
            "sd": _deviation(known, mean),
            "min": min(known, default=None),
            "max": max(known, default=None),
            "histogram": histogram(known),
            "components": {
                name: {"mean": total / count, "count": count}
                for name, (count, total) in self._components.items()
            },
            "errors": [asdict(failure) for failure in self.failures.values()],
        }

    def _score(self, outcome: Grade | Broken) -> float | None:
        if isinstance(outcome, Broken):
            new = Failures(outcome.kind, outcome.message)
            failure = self.failures.setdefault(outcome.kind, new)
            failure.count += 1
            if len(failure.first_ids) < FIRST_IDS:
                failure.first_ids.append(outcome.id)
            return None
        for component in outcome.components:
            count, total = self._components.get(component.name, (0, 0.0))
            self._components[component.name] = (count + 1, total + component.value)
        return outcome.score


def _mean(values: Sequence[float]) -> float | None:
    # Dividing before adding keeps enormous scores from overflowing.
    return math.fsum(value / len(values) for value in values) if values else None


def _deviation(values: Sequence[float], mean: float | None) -> float | None:
    """Return the unbiased standard deviation; None for fewer than two values."""
    if mean is None or len(values) == 1:
        return None
    return math.hypot(*(value - mean for value in values)) / math.sqrt(len(values) - 1)


def histogram(values: Sequence[float]) -> list[dict[str, float]]:
    """Return the counts per value, or per bin of equal width where there are many values.

    A bin holds what is at or above `from` and below `to`; the last one holds `to` as well.
    """
    counts = Counter(values)
    if len(counts) <= DISTINCT_MAX:
        return [{"value": value, "count": counts[value]} for value in sorted(counts)]
    low, high = min(values), max(values)
    width = high / 2 - low / 2  # halves, because the whole may overflow
    bins = Counter(min(int((value / 2 - low / 2) / width * BINS), BINS - 1) for value in values)
    edges = [low * (1 - n / BINS) + high * (n / BINS) for n in range(BINS + 1)]
    return [{"from": edges[n], "to": edges[n + 1], "count": bins[n]} for n in range(BINS)]
