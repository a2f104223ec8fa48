"""A data row and a sampled answer as the sample that a grader is asked to grade."""

from __future__ import annotations

from bedrock_rft_sim.data import Row
from bedrock_rft_sim.grader.records import Sample


def sample_id(row: Row, sample: int) -> str:
    """Return the id of one trajectory: the record's id and the sample's number in its group."""
    return f"{row.id}#{sample}"


def to_sample(row: Row, text: str, sample: int) -> Sample:
    """Return what the grader is asked to grade: the prompt with the model's turn appended."""
    return Sample(
        id=sample_id(row, sample),
        messages=[*row.messages, {"role": "assistant", "content": text}],
        reference_answer=row.reference_answer,
        extra=row.extra,
    )
