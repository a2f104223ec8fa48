"""A submission as data: what there is, what will be done, what stands in the way."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from bedrock_rft_sim.cloud.account import Identity

Change = Literal["keep", "create", "update", "upload", "replace", "invoke", "submit"]
"""`keep` changes nothing."""


@dataclass(frozen=True)
class PlannedStep:
    """One thing on AWS: what will be done about it."""

    kind: str
    name: str
    change: Change
    words: str
    blocker: str | None = None
    """Why it can't be done, with the next step."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class SubmissionPlan:
    """Every step in the order in which it will be done."""

    identity: Identity
    region: str
    steps: tuple[PlannedStep, ...]
    blockers: tuple[str, ...]
    """What stands in the way; nothing is done then."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What may go wrong and can't be known."""
        return tuple(words for step in self.steps for words in step.warnings)

    def as_json(self) -> dict[str, Any]:
        """Return the plan as JSON-ready data."""
        return asdict(self) | {"warnings": list(self.warnings)}


def planned(
    identity: Identity, region: str, steps: tuple[PlannedStep, ...], blockers: tuple[str, ...] = ()
) -> SubmissionPlan:
    """Return the plan of these steps; their blockers are its own."""
    of_steps = tuple(step.blocker for step in steps if step.blocker is not None)
    return SubmissionPlan(identity, region, steps, (*blockers, *of_steps))
