"""One job as everybody sees it: what was asked, how far it is, where its run folder lies.

Deliberately in words of its own; the doors translate them into Bedrock's or OpenAI's.
Sources: none of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bedrock_rft_sim.errors import RehearsalError

Kind = Literal["bedrock", "openai"]
Status = Literal["queued", "validating", "running", "stopping", "stopped", "failed", "completed"]
PhaseStatus = Literal["NotStarted", "InProgress", "Completed", "Stopping", "Stopped", "Failed"]

ENDED: frozenset[Status] = frozenset({"stopped", "failed", "completed"})


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


@dataclass(frozen=True, slots=True)
class Job:
    """A job; times in seconds since 1970, None where it has not come to that."""

    id: str
    """12 lower-case letters and digits for Bedrock, a UUID for OpenAI."""
    kind: Kind
    name: str
    request: dict[str, Any]
    """What the client sent, word for word."""
    extra: dict[str, Any]
    """What the door that made the job wants to remember."""
    status: Status
    created: float
    started: float | None
    ended: float | None
    modified: float
    failure: str | None
    """Why it failed, in one message."""
    folder: Path
    """The run folder; it exists once the child has read recipe and data."""
    phases: Phases

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in ENDED
