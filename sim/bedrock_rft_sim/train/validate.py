"""Validation: one greedy answer per validation prompt, graded like any other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bedrock_rft_sim.data import Row
from bedrock_rft_sim.data.tokens import plain_messages
from bedrock_rft_sim.engine.greedy import Answer, greedy_answers
from bedrock_rft_sim.grader import Grade, Grader
from bedrock_rft_sim.grader.trajectory import to_sample
from bedrock_rft_sim.runs.rollouts import Rollout

if TYPE_CHECKING:
    from bedrock_rft_sim.train.trainer import RehearsalTrainer

Validator = Callable[[int], list[Rollout]]
"""Takes the number of steps trained so far and returns one rollout per validation prompt."""


def make_validator(
    trainer: RehearsalTrainer,
    grader: Grader,
    rows: Sequence[Row],
    *,
    max_new_tokens: int,
    template_options: dict[str, Any],
) -> Validator:
    """Return the function that validates the trainer's model as it is at that moment."""
    tokenizer: Any = trainer.processing_class
    encoded = tokenizer.apply_chat_template(
        [plain_messages(row.messages) for row in rows],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        **template_options,
    )
    prompts: list[list[int]] = encoded["input_ids"]

    def validate(step: int) -> list[Rollout]:
        model = trainer.accelerator.unwrap_model(trainer.model)
        was_training = model.training
        model.eval()
        try:
            answers = greedy_answers(model, tokenizer, prompts, max_new_tokens=max_new_tokens)
        finally:
            model.train(was_training)
        samples = [to_sample(row, a.text, 0) for row, a in zip(rows, answers, strict=True)]
        grades = grader.grade(samples).grades
        return [_rollout(step, *each) for each in zip(rows, answers, grades, strict=True)]

    return validate


def _rollout(step: int, row: Row, answer: Answer, grade: Grade) -> Rollout:
    return Rollout(
        step=step,
        prompt_id=row.id,
        sample=0,
        text=answer.text,
        tokens=answer.tokens,
        stop_reason=answer.stop_reason,
        grade=grade.score,
        components=[vars(component) for component in grade.components],
        advantage=None,
    )
