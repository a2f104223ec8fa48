"""Write a problem as a training record; the wording around it is ours and shorter than AWS's."""

from __future__ import annotations

from typing import Any

from bedrock_rft_sim.data.problems.generate import Problem
from bedrock_rft_sim.data.shapes import word_problem
from bedrock_rft_sim.recipe.dialects.dialect import RecordShape

SYSTEM = "You are a math tutor."
INSTRUCTION = 'Give the final answer after "####".'

DIFFICULTY = {1: "easy", 2: "medium", 3: "hard", 4: "very hard"}


def to_record(problem: Problem, *, shape: RecordShape) -> dict[str, Any]:
    """Return the record in one of the published shapes."""
    return word_problem(
        problem.id,
        shape,
        prompt=f"{problem.question} {INSTRUCTION}",
        system=SYSTEM,
        question=problem.question,
        solution=problem.solution,
        steps=problem.steps,
        answer=str(problem.answer),
        difficulty=DIFFICULTY[len(problem.steps)],
        source=f"problems/{problem.family}",
    )
