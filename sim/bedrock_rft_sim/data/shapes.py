"""A word problem as a record, in the shape of either published GSM8K sample.

The keys are the published ones, and `id`, which the format allows and which names a row in every
later step.

Source: aws-samples/amazon-bedrock-samples, custom-models/bedrock-reinforcement-fine-tuning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, get_args

from bedrock_rft_sim.recipe.dialects.dialect import RecordShape

SHAPES: Final[tuple[RecordShape, ...]] = get_args(RecordShape)


def word_problem(
    id_: str,
    shape: RecordShape,
    *,
    prompt: str,
    system: str,
    question: str,
    solution: str,
    steps: Sequence[str],
    answer: str,
    difficulty: str,
    source: str,
) -> dict[str, Any]:
    """Return the record; the reference is an object for Nova, a string for open weights."""
    user = {"role": "user", "content": prompt}
    if shape == "open-weight":
        return {
            "id": id_,
            "messages": [user],
            "reference_answer": solution,
            "ground_truth": answer,
            "data_source": source,
        }
    return {
        "id": id_,
        "messages": [{"role": "system", "content": system}, user],
        "reference_answer": {"final_answer": answer, "steps": list(steps)},
        "task_id": id_,
        "domain": "math",
        "difficulty_level": difficulty,
        "data_source": source,
        "original_question": question,
        "original_answer": solution,
    }
