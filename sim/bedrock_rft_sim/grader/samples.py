"""What travels through the grader: samples, grades, costs of a call, the limits of a function.

Sources: Amazon Bedrock user guide, reward-functions (the reply's `metrics_list`); AWS Lambda
developer guide (timeout, memory and initialization limits).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bedrock_rft_sim.contract import limits
from bedrock_rft_sim.data import Row

INIT_TIMEOUT_S = 10.0
"""Of the init phase, after which a slow import goes on at the cost of the timeout."""
ComponentType = Literal["Reward", "Metric"]


@dataclass(frozen=True)
class Sample:
    """One answered prompt; `messages` ends with the assistant's turn."""

    id: str
    messages: Sequence[Mapping[str, Any]]
    reference_answer: str | Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def answered(row: Row, answer: str | Mapping[str, Any], sample_id: str) -> Sample:
    """Return the row under this id with its answer: a text, or the assistant's whole turn."""
    turn = {"role": "assistant", "content": answer} if isinstance(answer, str) else answer
    return Sample(sample_id, [*row.messages, turn], row.reference_answer, row.extra)


def to_sample(row: Row, text: str, sample: int) -> Sample:
    """Return one trajectory: its id is the row's and the sample's number in its group."""
    return answered(row, text, f"{row.id}#{sample}")


@dataclass(frozen=True)
class Component:
    """One entry of `metrics_list`; displayed only, the aggregate drives training."""

    name: str
    value: float
    type: ComponentType


@dataclass(frozen=True)
class Grade:
    """The handler's verdict on one sample."""

    id: str
    score: float
    components: tuple[Component, ...] = ()


@dataclass(frozen=True)
class Invocation:
    """One event that was graded: the time of the attempt that succeeded, and what failed before."""

    duration_s: float
    init_s: float | None
    max_memory_mb: float | None
    samples: int
    attempts: int
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """What is doubtful about the form of the reply, although it was accepted."""
    printed: str = ""
    """The last line that the handler printed."""


@dataclass(frozen=True)
class GradedBatch:
    """Grades in the order of the samples."""

    grades: tuple[Grade, ...]
    invocations: tuple[Invocation, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Each warning once, in the order in which they came up."""
        found = (warning for call in self.invocations for warning in call.warnings)
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class LambdaLimits:
    """How the function is configured and how hard the caller tries.

    Assumed: `samples_per_event`, `retries` for handler failures only, and the backoff, which
    doubles after each attempt. `init_timeout_s` is Lambda's own limit of the init phase.
    """

    timeout_s: float = limits.LAMBDA_TIMEOUT_S_DEFAULT
    memory_mb: int = limits.LAMBDA_MEMORY_MB_MIN
    containers: int = 1
    samples_per_event: int = limits.SAMPLES_PER_EVENT
    retries: int = limits.GRADER_RETRIES
    backoff_s: float = 0.5
    init_timeout_s: float = INIT_TIMEOUT_S
