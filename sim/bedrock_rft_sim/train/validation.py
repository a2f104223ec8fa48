"""Validation: one greedy answer per validation prompt, graded like any other.

As AWS's verl recipes validate (`n 1`, temperature 0). Greedy sampling draws no random number, so
validating leaves the training rollouts unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bedrock_rft_sim.data import Row, plan
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.engine.sampler import Answer, Far, Sampler, SamplingParams
from bedrock_rft_sim.grader import Grade, Grader
from bedrock_rft_sim.grader.samples import to_sample
from bedrock_rft_sim.grader.second_opinions import NO_SECOND_OPINIONS, SecondOpinions
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs.rollouts import Rollout
from bedrock_rft_sim.train.world import ALONE, World


class Validation:
    """The validation prompts of a run, and how their answers are graded."""

    def __init__(
        self,
        recipe: Recipe,
        data: plan.Data,
        grader: Grader | None,
        second: SecondOpinions = NO_SECOND_OPINIONS,
        world: World = ALONE,
    ) -> None:
        chat, options = load_tokenizer(recipe.model), plan.template_options(recipe)
        self._rows = data.validation
        self._prompts = [chat.encode(chat.render(row.messages, **options)) for row in self._rows]
        self._params = SamplingParams(recipe.settings.inference_max_tokens, temperature=0)
        self._grader, self._second, self._world = grader, second, world

    def __len__(self) -> int:
        """Return how many prompts this process answers."""
        return len(self._share)

    @property
    def _share(self) -> range:
        return range(self._world.rank, len(self._rows), self._world.size)

    def rollouts(self, step: int, sampler: Sampler, far: Far | None = None) -> list[Rollout]:
        """Return one rollout per prompt, of the model as it is after so many steps.

        Each process answers its share; they are graded in the main one, and none elsewhere.
        """
        mine = [self._prompts[index] for index in self._share]
        answers = sampler.sample(mine, self._params, far=far)
        everyone = dict(self._world.gather(list(zip(self._share, answers, strict=True))))
        in_order = [everyone[index] for index in range(len(self._rows))]
        return self._world.on_main(lambda: self._graded(step, in_order)) or []

    def _graded(self, step: int, answers: Sequence[Answer]) -> list[Rollout]:
        samples = [to_sample(row, a.text, 0) for row, a in zip(self._rows, answers, strict=True)]
        assert self._grader is not None
        grades = self._grader.grade(samples).grades
        also = self._second.grade(samples)
        return [
            as_rollout(row, answer, grade, step=step, also=graded)
            for row, answer, grade, graded in zip(self._rows, answers, grades, also, strict=True)
        ]


def as_rollout(
    row: Row,
    answer: Answer,
    grade: Grade,
    *,
    step: int,
    sample: int = 0,
    text: str | None = None,
    advantage: float | None = None,
    also: Mapping[str, float] | None = None,
) -> Rollout:
    """Return a graded answer as it is recorded; `text` is what was graded, if not the answer's."""
    return Rollout(
        step=step,
        prompt_id=row.id,
        sample=sample,
        text=answer.text if text is None else text,
        tokens=answer.tokens,
        stop_reason=answer.stop_reason,
        grade=grade.score,
        components=[vars(component) for component in grade.components],
        advantage=advantage,
        also_graded=also or None,
    )
