"""Where a record holds its question, its worked solution and its answer; a record reworded.

Knows the two published GSM8K shapes (Nova: an object with final_answer and steps, the original
texts beside it; open weights: the solution as a string) and what is like them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bedrock_rft_sim.data.prepare.rows import messages_of, nested, reference_text
from bedrock_rft_sim.data.renumber.marks import MARK

_SOLUTION_KEYS = ("original_answer", "solution", "worked_solution")
_QUESTION_KEYS = ("original_question", "question")
_ANSWER_KEYS = ("final_answer", "answer", "ground_truth")

Rewording = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class WorkedProblem:
    """The texts of one record."""

    question: str
    """Without the instruction where the record tells them apart, else the user's whole message."""
    solution: str | None
    """With calculator marks where the record has them; None where there is no reference."""


def problem_of(record: dict[str, Any]) -> WorkedProblem | None:
    """Return the record's question and solution; None where its last user message is no text."""
    prompt = prompt_of(record)
    if prompt is None:
        return None
    stated = (record.get(key) for key in _QUESTION_KEYS)
    inside = (text for text in stated if isinstance(text, str) and text.strip() and text in prompt)
    return WorkedProblem(next(inside, prompt), _solution_of(record))


def prompt_of(record: dict[str, Any]) -> str | None:
    """Return the text of the last user message; None where it is no text."""
    content = (last_user_message(record) or {}).get("content")
    return content if isinstance(content, str) else None


def last_user_message(record: dict[str, Any]) -> dict[str, Any] | None:
    """Return the last user message; None where there is none."""
    return next((m for m in reversed(messages_of(record)) if m.get("role") == "user"), None)


def _solution_of(record: dict[str, Any]) -> str | None:
    stated = [record.get("reference_answer"), *(record.get(key) for key in _SOLUTION_KEYS)]
    texts = [text for text in stated if isinstance(text, str) and text.strip()]
    marked = [text for text in texts if MARK.search(text)]
    if marked:
        return marked[0]
    return reference_text(record) or (texts[0] if texts else None)


def reworded(
    record: dict[str, Any],
    *,
    question: Rewording,
    solution: Rewording = str,
    answer: Rewording = str,
) -> dict[str, Any]:
    """Return a copy of the record with every place of its question, solution and answer reworded.

    The instruction around the question stays word for word: the reward's parser depends on it.
    """
    problem = problem_of(record)
    if problem is None:
        return copy.deepcopy(record)
    old, reworded_question = problem.question, question(problem.question)
    new = with_prompt(record, lambda prompt: prompt.replace(old, reworded_question, 1))
    _apply(new, _QUESTION_KEYS, question)
    _apply(new, _SOLUTION_KEYS, solution)
    _apply(new, _ANSWER_KEYS, answer)
    reference = new.get("reference_answer")
    if isinstance(reference, str):
        new["reference_answer"] = solution(reference)
    elif isinstance(reference, dict):
        _apply(reference, (*_SOLUTION_KEYS, "text"), solution)
        _apply(reference, _ANSWER_KEYS, answer)
        if isinstance(reference.get("steps"), list):
            reference["steps"] = [
                solution(step) if isinstance(step, str) else step for step in reference["steps"]
            ]
    return new


def with_prompt(record: dict[str, Any], prompt: Rewording) -> dict[str, Any]:
    """Return a copy of the record whose last user message, and nothing else, is reworded."""
    new = copy.deepcopy(record)
    message, old = last_user_message(new), prompt_of(record)
    if message is not None and old is not None:
        message["content"] = prompt(old)
    return new


def _apply(place: dict[str, Any], keys: tuple[str, ...], rewording: Rewording) -> None:
    for key in keys:
        if isinstance(place.get(key), str):
            place[key] = rewording(place[key])


def answers_of(record: dict[str, Any]) -> list[str]:
    """Return every answer that the record states apart from its solution."""
    reference = record.get("reference_answer")
    places = [record, reference] if isinstance(reference, dict) else [record]
    stated = [place.get(key) for place in places for key in _ANSWER_KEYS]
    return [answer for answer in stated if isinstance(answer, str)]


def steps_of(record: dict[str, Any]) -> list[str]:
    """Return the steps that the reference lists."""
    steps = nested(record, "reference_answer", "steps")
    return [step for step in steps if isinstance(step, str)] if isinstance(steps, list) else []
