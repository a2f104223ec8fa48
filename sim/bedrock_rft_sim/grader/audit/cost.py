"""What the function would take: latency, cold start, seconds and memory, events at once, megabytes.

Measured on this machine and projected by plain multiplication. Lambda gives a function a share of a
processor by its memory, one whole at 1,769 MB, so a handler that computes is slower there; one that
waits for a judge is not. Prices are not this file's business.

Source: AWS Lambda developer guide, "Configure Lambda function memory" and quotas.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bedrock_rft_sim.contract.limits import LAMBDA_PAYLOAD_BYTES
from bedrock_rft_sim.grader.audit.audited_grader import AuditedGrader
from bedrock_rft_sim.grader.audit.checks import AuditFinding
from bedrock_rft_sim.grader.event import encode_event
from bedrock_rft_sim.grader.samples import Invocation, Sample
from bedrock_rft_sim.stats.shares import percentile

ONE_PROCESSOR_MB = 1769
BYTES_PER_TOKEN = 4  # assumed, for an answer of the greatest length
ALONE_AGAIN = 2  # times that the slowest single sample is graded again
ROOM = 0.5  # of the timeout, that the slowest event should leave


@dataclass(frozen=True)
class AuditWorkload:
    """What the function would grade in one run of a recipe."""

    rollouts_per_step: int
    steps: int
    validation_answers: int
    """Over all validations of the run."""
    inference_max_tokens: int

    @property
    def answers(self) -> int:
        """All that would be graded."""
        return self.rollouts_per_step * self.steps + self.validation_answers

    def invocations(self, size: int) -> int:
        """Return how many events of at most `size` samples it sends; none spans two steps."""
        of_steps = math.ceil(self.rollouts_per_step / size) * self.steps
        return of_steps + math.ceil(self.validation_answers / size)


@dataclass(frozen=True)
class Cost:
    """Seconds on this machine; a projection is None where no recipe says how much there is to do.

    `slowest_alone_s` is the slowest event of one sample.
    """

    events: int
    samples_per_event: int
    p50_s: float | None
    p95_s: float | None
    max_s: float | None
    cold_start_s: float | None
    slowest_alone_s: float | None
    max_memory_mb: float | None
    largest_event_bytes: int
    timeout_s: float
    memory_mb: int
    processors: float
    """The share of a processor that Lambda gives at this memory, at most 1 here."""
    answers: int | None = None
    invocations: int | None = None
    lambda_s: float | None = None
    gb_s: float | None = None
    concurrency: int | None = None
    """Events of one step, if the service sends them together."""


class Alone:
    """Events of one sample each: their scores, and how long the slowest sample takes."""

    def __init__(self, audited: AuditedGrader) -> None:
        self.slowest_s: float | None = None
        self._audited = audited

    def scores(self, samples: Sequence[Sample]) -> dict[str, float]:
        """Grade each alone; the slowest is graded again, because one pause is not its speed."""
        scores: dict[str, float] = {}
        times: list[tuple[float, int]] = []
        for index, sample in enumerate(samples):
            scores |= self._audited.scores([sample])
            if sample.id in scores:
                times.append((self._audited.invocations[-1].duration_s, index))
        if times:
            slowest_s, index = max(times)
            again = [self._time(samples[index]) for _ in range(ALONE_AGAIN)]
            self.slowest_s = min([slowest_s, *filter(None, again)])
        return scores

    def _time(self, sample: Sample) -> float | None:
        graded = self._audited.scores([sample])
        return self._audited.invocations[-1].duration_s if graded else None


def measure(
    audited: AuditedGrader,
    samples: Sequence[Sample],
    *,
    calls: Sequence[Invocation],
    slowest_alone_s: float | None,
    workload: AuditWorkload | None,
) -> Cost:
    """`calls` graded these samples in events of the usual size, the last one perhaps smaller."""
    limits = audited.grader.limits
    size = limits.samples_per_event
    full = [call for call in calls if call.samples == size] or list(calls)
    times = [call.duration_s for call in full]
    per_step = math.ceil(workload.rollouts_per_step / size) if workload else None
    invocations = workload.invocations(size) if workload else None
    lambda_s = invocations * sum(times) / len(times) if invocations is not None and times else None
    memory = [call.max_memory_mb for call in calls if call.max_memory_mb]
    return Cost(
        events=len(times),
        samples_per_event=size,
        p50_s=percentile(times, 0.5) if times else None,
        p95_s=percentile(times, 0.95) if times else None,
        max_s=max(times, default=None),
        cold_start_s=max((call.init_s for call in calls if call.init_s), default=None),
        slowest_alone_s=slowest_alone_s,
        max_memory_mb=max(memory, default=None),
        largest_event_bytes=_largest_event(audited, samples, size=size, workload=workload),
        timeout_s=limits.timeout_s,
        memory_mb=limits.memory_mb,
        processors=min(1.0, limits.memory_mb / ONE_PROCESSOR_MB),
        answers=workload.answers if workload else None,
        invocations=invocations,
        lambda_s=lambda_s,
        gb_s=None if lambda_s is None else lambda_s * limits.memory_mb / 1024,
        concurrency=per_step,
    )


def check_cost(audited: AuditedGrader, cost: Cost, samples: Sequence[Sample]) -> list[AuditFinding]:
    """Findings for `timeout` and `payload`."""
    findings = []
    shown = list(samples[:1]) or None
    if (what := _too_slow(cost)) is not None:
        findings.append(audited.finding("timeout", "warning", what, shown))
    if cost.largest_event_bytes > LAMBDA_PAYLOAD_BYTES:
        what = (
            f"an event of {cost.samples_per_event} samples like the largest one would hold "
            f"{cost.largest_event_bytes / 2**20:.1f} MB, answers of the greatest length included"
        )
        largest = max(samples, key=lambda sample: _bytes(audited, sample))
        findings.append(audited.finding("payload", "warning", what, [largest]))
    return findings


def _too_slow(cost: Cost) -> str | None:
    timeout = f"the timeout is {cost.timeout_s:g} s"
    if cost.max_s is not None and cost.max_s > ROOM * cost.timeout_s:
        return f"the slowest event took {cost.max_s:.2f} s; {timeout}"
    if cost.slowest_alone_s is not None:
        together = cost.slowest_alone_s * cost.samples_per_event
        if together > cost.timeout_s:
            return (
                f"the slowest sample took {cost.slowest_alone_s:.2f} s alone; an event of "
                f"{cost.samples_per_event} like it would take up to {together:.1f} s; {timeout}"
            )
    if cost.p95_s is not None and cost.p95_s / cost.processors > cost.timeout_s:
        return (
            f"events take {cost.p95_s:.2f} s here; with {cost.memory_mb} MB Lambda gives "
            f"{cost.processors:.2f} of a processor, so up to {cost.p95_s / cost.processors:.1f} s "
            f"if that is computing; {timeout}"
        )
    return None


def _largest_event(
    audited: AuditedGrader, samples: Sequence[Sample], *, size: int, workload: AuditWorkload | None
) -> int:
    """Bytes of an event that holds only samples like the largest one."""
    answer = workload.inference_max_tokens * BYTES_PER_TOKEN if workload else 0
    return size * (max((_bytes(audited, sample) for sample in samples), default=0) + answer)


def _bytes(audited: AuditedGrader, sample: Sample) -> int:
    return len(encode_event(audited.grader.event([sample])))
