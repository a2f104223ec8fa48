"""A small run, and rewards to grade its answers again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.recipe import load_recipe
from bedrock_rft_sim.runs.rollouts import Rollout
from tests.run_folders import answer, group, write_run

EXACT = """
def lambda_handler(event, context):
    return [
        {
            "id": sample["id"],
            "aggregate_reward_score": float(
                sample["messages"][-1]["content"] == sample["reference_answer"]["final_answer"]
            ),
        }
        for sample in event
    ]
"""
OPPOSITE = EXACT.replace("==", "!=")
HALF_FOR_A_DIGIT = """
def score(sample):
    text = sample["messages"][-1]["content"]
    if text == sample["reference_answer"]["final_answer"]:
        return 1.0
    return 0.5 if text.isdigit() else 0.0

def lambda_handler(event, context):
    return [
        {
            "id": sample["id"],
            "aggregate_reward_score": score(sample),
            "metrics_list": [{"name": "length", "type": "Metric",
                              "value": len(sample["messages"][-1]["content"])}],
        }
        for sample in event
    ]
"""
FAILS_ON_WORDS = EXACT.replace(
    "    return [",
    '    if any(s["messages"][-1]["content"] == "many" for s in event):\n'
    '        raise ValueError("no digit")\n    return [',
    1,
)
REWARDS = {
    "exact": EXACT,
    "opposite": OPPOSITE,
    "half": HALF_FOR_A_DIGIT,
    "fails": FAILS_ON_WORDS,
}


@pytest.fixture
def rewards(tmp_path: Path) -> dict[str, str]:
    """Return paths of rewards as a person types them."""
    folder = tmp_path / "rewards"
    folder.mkdir()
    for name, source in REWARDS.items():
        (folder / f"{name}.py").write_text(source)
    return {name: str(folder / f"{name}.py") for name in REWARDS}


@pytest.fixture
def saved_run(tmp_path: Path, write_rows: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function that writes a run of two steps of two prompts x four answers.

    The rows' sums are 3 for sum-000, 5 for sum-001, 7 for sum-002 and 9 for sum-003.
    """

    def make(name: str = "first") -> Path:
        train, validation = write_rows(8, "train.jsonl"), write_rows(3, "validation.jsonl")
        recipe = load_recipe(
            "quickstart",
            sets=[f"local.trainingData={train}", f"local.validationData={validation}"],
        )
        with write_run(
            tmp_path / "runs",
            name,
            recipe=recipe,
            rollouts={step: rollouts(step, answers) for step, answers in STEPS.items()},
            validations={0: [answer(0, "sum-000", "3", 1.0)], 2: [answer(2, "sum-001", "4", 0.0)]},
        ) as folder:
            return folder.path

    return make


STEPS = {
    1: {"sum-000": ["3", "4", "many", "3"], "sum-001": ["5", "5", "5", "5"]},
    2: {"sum-002": ["1", "2", "many", "many"], "sum-003": ["9", "8", "many", "9"]},
}
RIGHT = {"sum-000": "3", "sum-001": "5", "sum-002": "7", "sum-003": "9"}


def rollouts(step: int, answers: dict[str, list[str]]) -> list[Rollout]:
    """Grade as `exact` does."""
    made = []
    for prompt, texts in answers.items():
        made += group(step, prompt, [(text, float(text == RIGHT[prompt])) for text in texts])
    return made


@pytest.fixture
def write_answers(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes records to a JSONL."""

    def write(*records: object, name: str = "answers.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    return write
