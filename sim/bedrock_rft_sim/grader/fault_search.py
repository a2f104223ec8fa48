"""Grade samples one by one where they have to be: an event that breaks is halved until it does not.

A handler that fails fails for its whole event, so the sample at fault is looked for among the rest.
The search stops when it has cost too much; the samples of an event are then counted together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bedrock_rft_sim.errors import EventError, HandlerError, ResponseError
from bedrock_rft_sim.grader.container import EXITED, OUT_OF_TURN, TIMED_OUT
from bedrock_rft_sim.grader.event import split
from bedrock_rft_sim.grader.grader import FaultError, Grader
from bedrock_rft_sim.grader.reply import ResultIdError
from bedrock_rft_sim.grader.samples import Grade, Invocation, Sample

BrokenKind = Literal["raises", "times out", "wrong id", "bad response", "bad event"]
# Failed invocations that one search may spend; a timeout spends them all, and a process that ends
# costs a cold start.
SEARCH_BUDGET = 128
EXITED_COST = 8


@dataclass(frozen=True)
class Broken:
    """A sample without a grade, and why."""

    id: str
    kind: BrokenKind
    message: str
    alone: bool
    """Whether it also breaks an event that holds nothing else."""


class FaultSearch:
    """Grades with one grader and counts what that took."""

    def __init__(self, grader: Grader, *, budget: int = SEARCH_BUDGET) -> None:
        self.exact = True
        """Whether every broken sample was graded alone."""
        self.calls = 0
        self.invocations: list[Invocation] = []
        self._grader = grader
        self._left = budget

    def grade(self, samples: Sequence[Sample]) -> list[Grade | Broken]:
        """One grade or the lack of one per sample, in order; a handler without a module raises."""
        events = split(samples, self._grader.limits.samples_per_event)
        return [outcome for event in events for outcome in self._event(event)]

    def _event(self, samples: Sequence[Sample]) -> list[Grade | Broken]:
        self.calls += 1
        try:
            batch = self._grader.grade(samples)
        except (HandlerError, ResponseError, EventError) as error:
            return self._halves(error, samples)
        self.invocations += batch.invocations
        return list(batch.grades)

    def _halves(
        self, error: HandlerError | ResponseError | EventError, samples: Sequence[Sample]
    ) -> list[Grade | Broken]:
        if isinstance(error, FaultError) and error.permanent:
            raise error
        self._left -= _cost(error)
        if len(samples) > 1 and self._left > 0:
            middle = len(samples) // 2
            return self._event(samples[:middle]) + self._event(samples[middle:])
        alone = len(samples) == 1
        self.exact = self.exact and alone
        return [Broken(sample.id, _kind(error), str(error), alone) for sample in samples]


def timed_out(outcome: Grade | Broken) -> bool:
    """Whether the reward took longer on this sample than its timeout."""
    return isinstance(outcome, Broken) and outcome.kind == "times out"


def _cost(error: HandlerError | ResponseError | EventError) -> int:
    if not isinstance(error, FaultError):
        return 1
    costs = {TIMED_OUT: SEARCH_BUDGET, EXITED: EXITED_COST, OUT_OF_TURN: EXITED_COST}
    return costs.get(error.error_type, 1)


def _kind(error: HandlerError | ResponseError | EventError) -> BrokenKind:
    if isinstance(error, HandlerError):
        timed_out = isinstance(error, FaultError) and error.error_type == TIMED_OUT
        return "times out" if timed_out else "raises"
    if isinstance(error, EventError):
        return "bad event"
    return "wrong id" if isinstance(error, ResultIdError) else "bad response"
