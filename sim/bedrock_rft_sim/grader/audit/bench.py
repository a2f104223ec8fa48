"""One open grader on the bench: asks it, keeps every score, and stops asking one that hangs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bedrock_rft_sim.grader.audit.checks import BY_NAME
from bedrock_rft_sim.grader.audit.findings import Event, Finding, Severity
from bedrock_rft_sim.grader.audit.redact import Redactor
from bedrock_rft_sim.grader.grader import Grader
from bedrock_rft_sim.grader.halving import Broken, Halving
from bedrock_rft_sim.grader.profiles import build_event
from bedrock_rft_sim.grader.records import Grade, Invocation, Sample

Outcomes = Mapping[str, Grade | Broken]
SEARCH_BUDGET = 24  # failed invocations that one check may spend on finding the sample at fault
TIMEOUTS_MAX = 3


@dataclass
class Bench:
    """What the checks share: the grader under the profile in use, and what it has said so far."""

    grader: Grader
    profile: str
    wrap: bool
    redactor: Redactor
    calls: int = 0
    answers: int = 0
    invocations: list[Invocation] = field(default_factory=list)
    graded: list[tuple[Sample, float]] = field(default_factory=list)
    timeouts: int = 0

    @property
    def warnings(self) -> set[str]:
        """What is doubtful about the form of its replies."""
        return {warning for call in self.invocations for warning in call.warnings}

    @property
    def hangs(self) -> bool:
        """Whether it has timed out so often that asking on would only cost time."""
        return self.timeouts >= TIMEOUTS_MAX

    def ask(self, samples: Sequence[Sample]) -> Outcomes:
        """One grade or the lack of one by sample id; nothing of a reward that hangs."""
        if self.hangs:
            return {}
        search = Halving(self.grader, budget=SEARCH_BUDGET)
        outcomes = search.grade(samples)
        self.answers += len(samples)
        self.calls += search.calls
        self.invocations += search.invocations
        self.graded += [
            (sample, outcome.score)
            for sample, outcome in zip(samples, outcomes, strict=True)
            if isinstance(outcome, Grade)
        ]
        broken = [outcome for outcome in outcomes if isinstance(outcome, Broken)]
        self.timeouts += any(outcome.kind == "times out" for outcome in broken)
        return {outcome.id: outcome for outcome in outcomes}

    def scores(self, samples: Sequence[Sample]) -> dict[str, float]:
        """The scores of those samples that were graded."""
        outcomes = self.ask(samples)
        return {
            name: outcome.score for name, outcome in outcomes.items() if isinstance(outcome, Grade)
        }

    def event(self, samples: Sequence[Sample]) -> Event:
        """The event that would be sent, as evidence."""
        return event_of(samples, profile=self.profile, wrap=self.wrap, redactor=self.redactor)

    def finding(
        self, check: str, severity: Severity, what: str, samples: Sequence[Sample] | None = None
    ) -> Finding:
        """A finding with the event of these samples as its evidence."""
        event = None if samples is None else self.event(samples)
        return Finding(check, severity, self.redactor.text(what), BY_NAME[check].remedy, event)


def event_of(samples: Sequence[Sample], *, profile: str, wrap: bool, redactor: Redactor) -> Event:
    """The event that would be sent, as evidence: without this machine's secrets."""
    event = build_event(samples, profile=profile, wrap_string_as_text=wrap)
    cleaned: Event = redactor.data(event)
    return cleaned
