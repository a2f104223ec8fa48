"""Grade samples with a reward handler, as Bedrock would through Lambda.

`Grader` splits samples into events, spreads the events over its warm containers, retries a handler
that failed, and checks every reply.
Assumed, because Bedrock's own behaviour is not known: a failed handler (raise, timeout, death) is
tried again with exponential backoff, a reply of the wrong form is not, and neither is a function
that can't be loaded.
It never turns a failure into a score.

Sources: AWS Machine Learning Blog on Lambda reward functions (three retries, then a clear error);
Amazon Bedrock user guide, reward-functions.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from bedrock_rft_sim.errors import HandlerError, ResponseError
from bedrock_rft_sim.grader.container import TOO_LARGE, Container, Fault, Outcome
from bedrock_rft_sim.grader.environment import RuntimeClient, deploy
from bedrock_rft_sim.grader.event import build_event, encode_event, split
from bedrock_rft_sim.grader.explain import found_in, hint_for, last_printed, warnings_of
from bedrock_rft_sim.grader.log import GraderLog
from bedrock_rft_sim.grader.package import open_package
from bedrock_rft_sim.grader.reply import Reply, read_reply
from bedrock_rft_sim.grader.reward import RewardFile
from bedrock_rft_sim.grader.samples import Grade, GradedBatch, Invocation, Sample

# These come out the same however often they are tried.
PERMANENT = frozenset(
    {
        "Runtime.ImportModuleError",
        "Runtime.HandlerNotFound",
        "Runtime.UserCodeSyntaxError",
        "Runtime.MalformedHandlerName",
        "Runtime.BuiltInModuleConflict",
    }
)


class FaultError(HandlerError):
    """A HandlerError that keeps the type Lambda gives the fault, for those who count."""

    def __init__(
        self, fault: Fault, *, attempts: int, where: str, found: str | None, hint: str | None
    ) -> None:
        self.error_type = fault.error_type
        tried = f" ({attempts} attempts)" if attempts > 1 else ""
        what = f"the handler failed{tried}: {fault.error_type}: {fault.message}"
        super().__init__(what, where=where, found=found, hint=hint)

    @property
    def permanent(self) -> bool:
        """Whether the function can't even be loaded, so that no event will fare better."""
        return self.error_type in PERMANENT


class Grader:
    """A deployed reward: open it, grade with it, close it."""

    def __init__(
        self, reward: RewardFile, *, log: Path | None = None, client: RuntimeClient | None = None
    ) -> None:
        self.limits = reward.limits
        self._reward = reward
        self._log = GraderLog(log, memory_mb=self.limits.memory_mb)
        self._lock = threading.Lock()
        self._turn = 0
        self._sleep: Callable[[float], None] = time.sleep
        self._containers: list[Container | None] = [None] * self.limits.containers
        self._scratch = tempfile.TemporaryDirectory(prefix="reward-")
        scratch = Path(self._scratch.name)
        try:
            self._package = open_package(reward.path, handler=reward.handler, scratch=scratch)
            self._function = deploy(reward, self._package, scratch, client=client)
        except BaseException:
            self._scratch.cleanup()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill the containers and remove what was unpacked."""
        for container in filter(None, self._containers):
            container.close()
        self._containers = [None] * self.limits.containers
        self._scratch.cleanup()

    def event(self, samples: Sequence[Sample]) -> list[dict[str, Any]]:
        """The event that is sent for these samples."""
        return build_event(
            samples, profile=self._reward.profile, wrap_string_as_text=self._reward.wrap
        )

    def grade(self, samples: Sequence[Sample]) -> GradedBatch:
        """Grades in the order of the samples; raises once an event's retries are used up."""
        with self._lock:
            events = list(split(samples, self.limits.samples_per_event))
            graded = self._grade_events(events)
        grades = tuple(grade for event_grades, _ in graded for grade in event_grades)
        return GradedBatch(grades, tuple(invocation for _, invocation in graded))

    def _grade_events(
        self, events: Sequence[Sequence[Sample]]
    ) -> list[tuple[tuple[Grade, ...], Invocation]]:
        """Round robin over the containers, which work at the same time."""
        slots = self.limits.containers
        first, self._turn = self._turn, (self._turn + len(events)) % slots
        if slots == 1 or len(events) <= 1:
            return [self._grade_event(event, slot=first) for event in events]
        turns = [[*range(slot, len(events), slots)] for slot in range(min(slots, len(events)))]
        with ThreadPoolExecutor(len(turns)) as pool:
            done = pool.map(
                lambda turn: [
                    (index, self._grade_event(events[index], slot=(first + index) % slots))
                    for index in turn
                ],
                turns,
            )
            by_index = dict(pair for pairs in done for pair in pairs)
        return [by_index[index] for index in range(len(events))]

    def _grade_event(
        self, samples: Sequence[Sample], *, slot: int
    ) -> tuple[tuple[Grade, ...], Invocation]:
        """One event, tried until it is answered or the retries are used up."""
        body = encode_event(self.event(samples))
        errors: list[str] = []
        while True:
            outcome = self._invoke(body, slot=slot)
            answer = outcome.answer
            if not isinstance(answer, Fault):
                reply = self._read(answer, samples)
                reply = replace(reply, warnings=(*reply.warnings, *warnings_of(outcome)))
                self._log.warn(reply.warnings)
                return reply.grades, _invocation(outcome, reply, errors=errors)
            errors.append(answer.error_type)
            self._refuse_to_retry(outcome, samples=samples, errors=errors)
            self._sleep(self.limits.backoff_s * 2 ** (len(errors) - 1))

    def _invoke(self, body: bytes, *, slot: int) -> Outcome:
        container = self._containers[slot]
        if container is not None and not container.usable:
            container.close()
            container = None
        if container is None:
            container = self._containers[slot] = Container(self._function)
        outcome = container.invoke(body)
        self._log.write(outcome)
        return outcome

    def _read(self, answer: bytes, samples: Sequence[Sample]) -> Reply:
        try:
            return read_reply(answer, [sample.id for sample in samples])
        except ResponseError as error:
            where = f"{self._reward.path.name}, {error.where}"
            raise error.restated(type(error), where=where) from None

    def _refuse_to_retry(
        self, outcome: Outcome, *, samples: Sequence[Sample], errors: Sequence[str]
    ) -> None:
        """Raise, unless another attempt may help."""
        fault = outcome.answer
        assert isinstance(fault, Fault)
        where = (
            f"{self._reward.path.name}, event of {len(samples)} samples, first id {samples[0].id!r}"
        )
        if fault.error_type == TOO_LARGE:
            raise ResponseError(
                fault.message, where=where, hint="return less per sample or send fewer per event"
            )
        if fault.error_type not in PERMANENT and len(errors) <= self.limits.retries:
            return
        raise FaultError(
            fault,
            attempts=len(errors),
            where=where,
            found=found_in(outcome),
            hint=hint_for(outcome, self._package),
        )


def _invocation(outcome: Outcome, reply: Reply, *, errors: Sequence[str]) -> Invocation:
    return Invocation(
        duration_s=outcome.duration_s,
        init_s=outcome.init_s,
        max_memory_mb=outcome.max_memory_mb,
        samples=len(reply.grades),
        attempts=len(errors) + 1,
        errors=tuple(errors),
        warnings=reply.warnings,
        printed=last_printed(outcome),
    )
