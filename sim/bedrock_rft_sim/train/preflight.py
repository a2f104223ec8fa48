"""One call of the reward before any model is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from bedrock_rft_sim.data import Row
from bedrock_rft_sim.grader import Grader
from bedrock_rft_sim.grader.gold import good_reply
from bedrock_rft_sim.grader.trajectory import to_sample

PREFLIGHT_ROWS = 8


def preflight(grader: Grader, rows: Sequence[Row]) -> str | None:
    """Grade a few reference answers, phrased as good replies; return a remark when all score 0.

    A handler that is missing, raises or answers nonsense fails here, in a second, instead of after
    the model was loaded.

    Raises:
        GraderError: the reward gave no usable grade.
    """
    replies = [(row, good_reply(row.reference_answer)) for row in rows[:PREFLIGHT_ROWS]]
    samples = [to_sample(row, reply or "", 0) for row, reply in replies]
    grades = grader.grade(samples).grades
    graded = [g for g, (_, reply) in zip(grades, replies, strict=True) if reply is not None]
    if graded and all(grade.score <= 0 for grade in graded):
        return (
            f"the reward gives {len(graded)} of {len(graded)} reference answers no credit; "
            "`rft check` shows how it reads them"
        )
    return None
