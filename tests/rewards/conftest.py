"""What the tests of several rewards share: the made-up data, samples, and the judge's stand-in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROWS = Path(__file__).parent / "rows"


def objects_of(path):
    """Return the objects of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def places_of(reference, profile="both"):
    """Return the keys of a sample that holds its reference under a payload profile."""
    keys = {"reference_answer": reference}
    return {
        "metadata": {"metadata": keys},
        "root": keys,
        "both": {**keys, "metadata": keys},
    }[profile]


@pytest.fixture(scope="session")
def read_jsonl():
    """Return the function that reads a JSONL file."""
    return objects_of


@pytest.fixture(scope="session")
def answered():
    """Return a function that gives a reward's rows with an answer each, as one event."""

    def make(name, answers=None, *, profile="both", role="assistant"):
        replies = {r["id"]: r["answer"] for r in objects_of(ROWS / f"{name}.replies.jsonl")}
        event = []
        for row in objects_of(ROWS / f"{name}.jsonl"):
            answer = replies[row["id"]] if answers is None else answers(row)
            turn = {"role": role, "content": answer}
            places = places_of(row["reference_answer"], profile)
            event.append({"id": row["id"], "messages": [*row["messages"], turn], **places})
        return event

    return make


@pytest.fixture(scope="session")
def graded():
    """Return a function that grades one answer: the score and the components' values."""

    def grade(reward, answer, reference, *, profile="both", **extra):
        turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": answer}]
        sample = {"id": "s1", "messages": turns, **places_of(reference, profile), **extra}
        (result,) = reward.lambda_handler([sample], None)
        assert result["id"] == "s1"
        parts = {part["name"]: part["value"] for part in result["metrics_list"]}
        return result["aggregate_reward_score"], parts

    return grade
