"""One open grader under audit: grades with it, keeps every score, and stops where it hangs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bedrock_rft_sim.grader.audit.checks import BY_NAME, AuditFinding, Severity
from bedrock_rft_sim.grader.fault_search import Broken, FaultSearch, timed_out
from bedrock_rft_sim.grader.grader import Grader
from bedrock_rft_sim.grader.samples import Grade, Invocation, Sample

Outcomes = Mapping[str, Grade | Broken]
SEARCH_BUDGET = 24  # failed invocations that one check may spend on finding the sample at fault
TIMEOUTS_MAX = 3


@dataclass
class AuditedGrader:
    """What the checks share: the grader under the profile in use, and what came back so far."""

    grader: Grader
    calls: int = 0
    answers: int = 0
    invocations: list[Invocation] = field(default_factory=list)
    graded: list[tuple[Sample, float]] = field(default_factory=list)
    timeouts: int = 0

    @property
    def hangs(self) -> bool:
        """Whether it has timed out so often that going on would only cost time."""
        return self.timeouts >= TIMEOUTS_MAX

    def grade(self, samples: Sequence[Sample]) -> Outcomes:
        """One grade or the lack of one by sample id; nothing of a reward that hangs."""
        if self.hangs:
            return {}
        search = FaultSearch(self.grader, budget=SEARCH_BUDGET)
        outcomes = search.grade(samples)
        self.answers += len(samples)
        self.calls += search.calls
        self.invocations += search.invocations
        self.graded += [
            (sample, outcome.score)
            for sample, outcome in zip(samples, outcomes, strict=True)
            if isinstance(outcome, Grade)
        ]
        self.timeouts += any(map(timed_out, outcomes))
        return {outcome.id: outcome for outcome in outcomes}

    def scores(self, samples: Sequence[Sample]) -> dict[str, float]:
        """The scores of those samples that were graded."""
        return {
            name: outcome.score
            for name, outcome in self.grade(samples).items()
            if isinstance(outcome, Grade)
        }

    def finding(
        self, check: str, severity: Severity, what: str, samples: Sequence[Sample] | None = None
    ) -> AuditFinding:
        """A finding with the event of these samples as its evidence."""
        event = None if samples is None else self.grader.event(samples)
        return AuditFinding(check, severity, what, BY_NAME[check].remedy, event)
