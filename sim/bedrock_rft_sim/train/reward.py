"""The reward Lambda as TRL's reward function.

TRL hands over the texts it sampled; they become the samples of Lambda events, and what the handler
returns becomes TRL's rewards.  An error of the grader is never turned into a score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bedrock_rft_sim.data import Row
from bedrock_rft_sim.engine.sampler import Answer
from bedrock_rft_sim.grader import Grader
from bedrock_rft_sim.grader.good_replies import boxed, good_reply
from bedrock_rft_sim.grader.samples import to_sample
from bedrock_rft_sim.grader.second_opinions import NO_SECOND_OPINIONS, SecondOpinions
from bedrock_rft_sim.train.record import StepRecorder

PREFLIGHT_ROWS = 8


class LambdaReward:
    """TRL's reward callable; keeps what came back for the recorder."""

    __name__ = "lambda_grader"

    def __init__(
        self,
        grader: Grader | None,
        rows: Sequence[Row],
        recorder: StepRecorder,
        second: SecondOpinions = NO_SECOND_OPINIONS,
    ) -> None:
        self._grader = grader
        self._second = second
        self._rows = rows
        self._recorder = recorder

    def __call__(
        self,
        *,
        completions: list[list[dict[str, Any]]],
        row_index: list[int],
        **_columns: Any,
    ) -> list[float]:
        """Grade one step's answers, P groups of G in a row, in the main process for all of them.

        Raises:
            GraderError: the reward gave no usable grade.
        """
        texts = [str(completion[-1]["content"]) for completion in completions]
        mine = list(zip(texts, row_index, self._recorder.answers, strict=True))
        world = self._recorder.world
        everyone = world.gather(mine)
        scores = world.from_main(lambda: self._grade(*map(list, zip(*everyone, strict=True))))
        start = world.rank * len(mine)
        return scores[start : start + len(mine)]

    def _grade(self, texts: list[str], row_index: list[int], answers: list[Answer]) -> list[float]:
        rows = [self._rows[index] for index in row_index]
        numbers = number_in_group(row_index)
        samples = [to_sample(*each) for each in zip(rows, texts, numbers, strict=True)]
        assert self._grader is not None
        self._recorder.doing("grading", len(texts))
        with self._recorder.clock.phase("grade"):
            batch = self._grader.grade(samples)
        also = None
        if self._second.graders:
            with self._recorder.clock.phase("also_grade"):
                also = self._second.grade(samples)
        self._recorder.answers = answers
        self._recorder.graded(rows, numbers, texts, batch, also)
        return [grade.score for grade in batch.grades]


def number_in_group(row_index: Sequence[int]) -> list[int]:
    """Return each rollout's number in its group, counting a row's appearances in order."""
    seen: dict[int, int] = {}
    numbers = []
    for row in row_index:
        numbers.append(seen.get(row, 0))
        seen[row] = numbers[-1] + 1
    return numbers


def preflight(grader: Grader, rows: Sequence[Row], name: str = "reward") -> str | None:
    """Grade a few reference answers, phrased as good replies; return a remark when all score 0.

    A handler that is missing, raises or answers nonsense fails here, in a second, instead of after
    the model was loaded.

    Raises:
        GraderError: the reward gave no usable grade.
    """
    good = [good_reply(row.reference_answer) for row in rows[:PREFLIGHT_ROWS]]
    for replies in (good, [reply and boxed(reply) for reply in good]):
        samples = [to_sample(row, text or "", 0) for row, text in zip(rows, replies, strict=False)]
        grades = grader.grade(samples).grades
        if any(g.score > 0 for g, text in zip(grades, replies, strict=True) if text is not None):
            return None
    count = sum(reply is not None for reply in good)
    words = f"the {name} gives {count} of {count} reference answers no credit; "
    return f"{words}`rft check` shows how it reads them" if count else None
