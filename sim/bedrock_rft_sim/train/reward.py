"""The reward Lambda as TRL's reward function.

TRL hands over the texts it sampled; they become the samples of Lambda events, and what the handler
returns becomes TRL's rewards.  An error of the grader is never turned into a score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bedrock_rft_sim.data import Row
from bedrock_rft_sim.grader import GradedBatch, Grader
from bedrock_rft_sim.grader.trajectory import to_sample
from bedrock_rft_sim.train.record import StepRecorder


class LambdaReward:
    """TRL's reward callable; keeps what came back for the recorder."""

    __name__ = "lambda_grader"

    def __init__(self, grader: Grader, rows: Sequence[Row], recorder: StepRecorder) -> None:
        self._grader = grader
        self._rows = rows
        self._recorder = recorder

    def __call__(
        self,
        *,
        completions: list[list[dict[str, Any]]],
        completion_ids: list[list[int]],
        row_index: list[int],
        **_columns: Any,
    ) -> list[float]:
        """Grade one step's answers, P groups of G in a row.

        Raises:
            GraderError: the reward gave no usable grade.
        """
        texts = [str(completion[-1]["content"]) for completion in completions]
        rows = [self._rows[index] for index in row_index]
        samples = number_in_group(row_index)
        with self._recorder.clock.phase("grade"):
            batch = self._grade(rows, texts, samples)
        self._recorder.graded(rows, samples, texts, completion_ids, batch)
        return [grade.score for grade in batch.grades]

    def _grade(self, rows: list[Row], texts: list[str], samples: list[int]) -> GradedBatch:
        return self._grader.grade(
            [to_sample(row, text, g) for row, text, g in zip(rows, texts, samples, strict=True)]
        )


def number_in_group(row_index: Sequence[int]) -> list[int]:
    """Return each rollout's number in its group, counting a row's appearances in order."""
    seen: dict[int, int] = {}
    numbers = []
    for row in row_index:
        numbers.append(seen.get(row, 0))
        seen[row] = numbers[-1] + 1
    return numbers
