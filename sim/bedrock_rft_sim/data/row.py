"""One training or validation record, checked: what a run trains on.

It repairs nothing: a record that breaks a rule which blocks is an error that names the file, the
line and the record.

Sources: Amazon Bedrock user guide, rft-prepare-data (messages, reference_answer, other keys).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bedrock_rft_sim.data.record import blocking


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt with what its grader needs."""

    id: str
    """As given, else `row-` and the line number."""
    messages: tuple[dict[str, Any], ...]
    """As given: content may be a string or a list of text parts."""
    reference_answer: str | dict[str, Any] | None
    extra: dict[str, Any]
    """Every other key of the record; all are carried to the grader."""
    source: str
    line: int
    """1-based."""

    def as_record(self) -> dict[str, Any]:
        """Return the row as a record of a data file."""
        known: dict[str, Any] = {"id": self.id, "messages": list(self.messages)}
        if self.reference_answer is not None:
            known["reference_answer"] = self.reference_answer
        return {**known, **self.extra}


def row_from_record(record: dict[str, Any], *, source: str, line: int) -> Row:
    """Return the checked row.

    Raises:
        DataError: the record can't be trained on.
    """
    for violation in blocking(record, line):
        raise violation.error(source)
    extra = {k: v for k, v in record.items() if k not in ("id", "messages", "reference_answer")}
    return Row(
        id=record.get("id", f"row-{line:06d}"),
        messages=tuple(record["messages"]),
        reference_answer=record.get("reference_answer"),
        extra=extra,
        source=source,
        line=line,
    )
