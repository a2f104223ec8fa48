"""Do two rewards say the same? Shares of agreement, rank correlation, and where they differ most.

It does not say which of the two is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bedrock_rft_sim.stats.ranks import spearman
from bedrock_rft_sim.stats.shares import mean

EQUAL_WITHIN = 1e-9
SHOWN_DIFFERENCES = 10


@dataclass(frozen=True, slots=True)
class Difference:
    """An answer that two rewards score differently."""

    id: str
    step: int | None
    first: float
    second: float
    text: str


_Entry = tuple[float, int, Difference]
"""Half the gap, the negative place in the file, and the answer: larger is shown sooner."""


class Pair:
    """Two rewards, answer by answer; only answers that both could score are compared."""

    def __init__(self, first: str, second: str) -> None:
        self.first = first
        self.second = second
        self._scores: tuple[list[float], list[float]] = ([], [])
        self._largest: dict[str, _Entry] = {}

    def add(
        self,
        first: float | None,
        second: float | None,
        *,
        answer_id: str,
        step: int | None,
        text: str,
    ) -> None:
        """Take in one answer's two scores."""
        if first is None or second is None:
            return
        self._scores[0].append(first)
        self._scores[1].append(second)
        gap = abs(first / 2 - second / 2)  # halves, because the whole may overflow
        if gap > EQUAL_WITHIN / 2:
            difference = Difference(answer_id, step, first, second, text)
            self._keep((gap, -len(self._scores[0]), difference))

    def _keep(self, entry: _Entry) -> None:
        """Keep the largest gap of an id, and of ids those with the largest; of equals the first."""
        key = entry[2].id
        if key not in self._largest and len(self._largest) == SHOWN_DIFFERENCES:
            smallest = min(self._largest, key=lambda each: self._largest[each][:2])
            if entry[:2] < self._largest[smallest][:2]:
                return
            del self._largest[smallest]
        if key not in self._largest or entry[:2] > self._largest[key][:2]:
            self._largest[key] = entry

    def as_json(self) -> dict[str, Any]:
        """Return the comparison, JSON-ready; a share of nothing is None."""
        first, second = self._scores
        largest = sorted(self._largest.values(), key=lambda entry: entry[:2], reverse=True)
        gaps = [abs(x / 2 - y / 2) for x, y in zip(first, second, strict=True)]
        return {
            "first": self.first,
            "second": self.second,
            "compared": len(first),
            "equal_share": mean(gap <= EQUAL_WITHIN / 2 for gap in gaps),
            "positive": _positive(first, second),
            "spearman": spearman(first, second),
            "differences": [asdict(difference) for _, _, difference in largest],
        }


def _positive(first: Sequence[float], second: Sequence[float]) -> dict[str, float | None]:
    """Return how often both, one or none of them gave a score above 0, and how often alike."""
    pairs = [(x > 0, y > 0) for x, y in zip(first, second, strict=True)]
    return {
        "both": pairs.count((True, True)),
        "only_first": pairs.count((True, False)),
        "only_second": pairs.count((False, True)),
        "neither": pairs.count((False, False)),
        "alike_share": mean(x == y for x, y in pairs),
    }
