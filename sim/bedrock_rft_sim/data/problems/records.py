"""Write a problem as a training record, in the shape of either published GSM8K sample.

Source: aws-samples/amazon-bedrock-samples, custom-models/bedrock-reinforcement-fine-tuning
(the keys; the wording is ours and shorter).
"""

from __future__ import annotations

from typing import Any, Literal

from bedrock_rft_sim.data.problems.generate import Problem

Shape = Literal["nova", "open-weight"]

SYSTEM = "You are a math tutor."
INSTRUCTION = 'Give the final answer after "####".'

DIFFICULTY = {1: "easy", 2: "medium", 3: "hard", 4: "very hard"}


def to_record(problem: Problem, *, shape: Shape) -> dict[str, Any]:
    """Return the record; the reference is an object for Nova, a string for open weights."""
    return _nova(problem) if shape == "nova" else _open_weight(problem)


def _nova(problem: Problem) -> dict[str, Any]:
    return {
        "id": problem.id,
        "messages": [{"role": "system", "content": SYSTEM}, _question(problem)],
        "reference_answer": {"final_answer": str(problem.answer), "steps": list(problem.steps)},
        "task_id": problem.id,
        "domain": "math",
        "difficulty_level": DIFFICULTY[len(problem.steps)],
        "data_source": f"problems/{problem.family}",
        "original_question": problem.question,
        "original_answer": problem.solution,
    }


def _open_weight(problem: Problem) -> dict[str, Any]:
    return {
        "id": problem.id,
        "messages": [_question(problem)],
        "reference_answer": problem.solution,
        "ground_truth": str(problem.answer),
        "data_source": f"problems/{problem.family}",
    }


def _question(problem: Problem) -> dict[str, str]:
    return {"role": "user", "content": f"{problem.question} {INSTRUCTION}"}
