"""One job as everybody sees it: what was requested, how far it is, where its run folder lies.

Statuses are in words of its own; one table translates them into Bedrock's and OpenAI's.
Sources: `bedrock_rft_sim.contract.statuses`.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from bedrock_rft_sim.contract.statuses import (
    COMPLETED,
    FAILED,
    IN_PROGRESS,
    STOPPED,
    STOPPING,
    OpenAIStatus,
)
from bedrock_rft_sim.errors import RehearsalError

Kind = Literal["bedrock", "openai"]
Status = Literal["queued", "validating", "running", "stopping", "stopped", "failed", "completed"]
PhaseStatus = Literal["NotStarted", "InProgress", "Completed", "Stopping", "Stopped", "Failed"]

End = Literal["stopped", "failed", "completed"]
ENDED: Final[Mapping[End, PhaseStatus]] = {
    "stopped": "Stopped",
    "failed": "Failed",
    "completed": "Completed",
}
"""How a job ends, and Bedrock's word for it, which is also that of the run's record."""

_WORDS: Final[Mapping[Status, tuple[str, OpenAIStatus]]] = {
    "queued": (IN_PROGRESS, "queued"),
    "validating": (IN_PROGRESS, "queued"),
    "running": (IN_PROGRESS, "running"),
    "stopping": (STOPPING, "running"),
    "stopped": (STOPPED, "cancelled"),
    "failed": (FAILED, "failed"),
    "completed": (COMPLETED, "succeeded"),
}
"""Bedrock's word for a status, and OpenAI's."""

BEDROCK_ID_LENGTH: Final = 12


def new_bedrock_id() -> str:
    """Return lower-case letters and digits, as Bedrock names jobs and deployments."""
    letters = string.ascii_lowercase + string.digits
    return "".join(secrets.choice(letters) for _ in range(BEDROCK_ID_LENGTH))


class UnknownJobError(RehearsalError, KeyError):
    """No job has this id."""

    def __str__(self) -> str:
        return self._message()


@dataclass(frozen=True, slots=True)
class Phase:
    """One of the three phases that Bedrock shows; times in seconds since 1970."""

    status: PhaseStatus = "NotStarted"
    created: float | None = None
    modified: float | None = None


@dataclass(frozen=True, slots=True)
class Phases:
    """Bedrock's `statusDetails`, in order."""

    validation: Phase = Phase()
    data_processing: Phase = Phase()
    training: Phase = Phase()

    @property
    def in_order(self) -> tuple[Phase, Phase, Phase]:
        """Validation, data processing, training."""
        return self.validation, self.data_processing, self.training


@dataclass(frozen=True, slots=True)
class BedrockDetails:
    """What only a job of Bedrock's API has."""

    region: str
    remarks: Sequence[str] = ()
    """What the rehearsal does differently from the request."""
    function: str | None = None
    """The ARN of the reward Lambda, as it was resolved."""
    job_tags: Sequence[Mapping[str, str]] = ()
    model_tags: Sequence[Mapping[str, str]] = ()
    model_deleted: bool = False


@dataclass(frozen=True, slots=True)
class OpenAIDetails:
    """What only a job of the OpenAI API has."""

    seed: int
    remark_events: Sequence[Mapping[str, Any]] = ()
    """Events that say what the rehearsal does differently from the request."""


DETAILS: Final[Mapping[Kind, type[BedrockDetails | OpenAIDetails]]] = {
    "bedrock": BedrockDetails,
    "openai": OpenAIDetails,
}


@dataclass(frozen=True, slots=True)
class Job:
    """A job; times in seconds since 1970, None where it has not come to that."""

    id: str
    """12 lower-case letters and digits for Bedrock, a UUID for OpenAI."""
    details: BedrockDetails | OpenAIDetails
    name: str
    request: dict[str, Any]
    """What the client sent, word for word."""
    folder: Path
    """The run folder; it exists once the child has read recipe and data."""
    created: float
    modified: float
    status: Status = "queued"
    started: float | None = None
    ended: float | None = None
    failure: str | None = None
    """Why it failed, in one message."""
    phases: Phases = Phases()

    @property
    def kind(self) -> Kind:
        """The API it was created through."""
        return "bedrock" if isinstance(self.details, BedrockDetails) else "openai"

    @property
    def api_status(self) -> str:
        """The status in the words of its own API."""
        bedrock, openai = _WORDS[self.status]
        return bedrock if self.kind == "bedrock" else openai

    @property
    def bedrock(self) -> BedrockDetails:
        """The details of a job that is known to be Bedrock's."""
        assert isinstance(self.details, BedrockDetails)
        return self.details

    @property
    def openai(self) -> OpenAIDetails:
        """The details of a job that is known to be OpenAI's."""
        assert isinstance(self.details, OpenAIDetails)
        return self.details

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in ENDED
