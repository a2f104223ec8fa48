"""The exact entry of a Lambda event, cut open where the sample's id and answer stand.

The page puts them together again, so that a group of eight carries its prompt once.
`bedrock_rft_sim.grader.event` builds the event; here it is only taken apart.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from bedrock_rft_sim.data import Row
from bedrock_rft_sim.errors import EventError
from bedrock_rft_sim.grader.event import build_event
from bedrock_rft_sim.grader.samples import answered
from bedrock_rft_sim.runs import Run


@dataclass(frozen=True, slots=True)
class EventForm:
    """How this run words its events."""

    profile: str
    wrap_string_as_text: bool

    @classmethod
    def of(cls, run: Run) -> EventForm:
        """Return how this run words them."""
        profile = run.local("payloadProfile") or "both"
        return cls(profile, wrap_string_as_text=bool(run.local("wrapStringAsText")))

    def cut(self, row: Row) -> tuple[str, str, str] | None:
        """Return the entry's JSON before the id, between id and answer, and after the answer.

        None where no event can be built.
        """
        answer, identity = _marks(row)
        samples = [answered(row, answer, identity)]
        wrap = self.wrap_string_as_text
        try:
            (entry,) = build_event(samples, profile=self.profile, wrap_string_as_text=wrap)
        except EventError:
            return None
        text = json.dumps(entry, indent=2)
        before, _, rest = text.partition(json.dumps(identity))
        between, _, after = rest.partition(json.dumps(answer))
        return before, between, after


def sample_id(prompt_id: str, sample: int) -> str:
    """Return the id under which a sample is sent to the handler."""
    return f"{prompt_id}#{sample}"


def _marks(row: Row) -> tuple[str, str]:
    """Return two texts that occur nowhere in the row."""
    known = json.dumps([row.messages, row.reference_answer, row.extra], default=str)
    mark = "mark"
    while mark in known:
        mark += "-"
    return f"{mark} answer", f"{mark} id"
