from __future__ import annotations

import textwrap

import pytest

from bedrock_rft_sim.data import problems, row_from_record
from bedrock_rft_sim.grader.audit import audit
from bedrock_rft_sim.grader.reward import RewardFile
from bedrock_rft_sim.grader.samples import LambdaLimits

# A sound reward: the last "#### n" is the reference's number. Breakers put other functions in.
SOUND = """
import re

def text_of(s):
    return s["messages"][-1]["content"]

def truth_of(s):
    places = (s, s.get("metadata", {}))
    found = next(p["reference_answer"] for p in places if "reference_answer" in p)
    if isinstance(found, dict):
        found = found.get("final_answer") or found["text"]
    return found.rpartition("####")[2].strip()

def said(s):
    found = re.findall(r"####[ ]([0-9]+)(?![0-9.,])", text_of(s)[-300:])
    return found[-1] if found else ""

def right(s):
    return float(said(s) == truth_of(s))

score = right

def lambda_handler(event, context):
    return [{"id": s["id"], "aggregate_reward_score": float(score(s))} for s in event]
"""


@pytest.fixture
def make_rows():
    """Return a function that makes word problems; extra keys are put into each record."""

    def make(count, *, shape="nova", extra=None):
        made = problems.generate(count, seed=3)
        records = [problems.to_record(problem, shape=shape) | (extra or {}) for problem in made]
        return [row_from_record(record, source="made", line=i) for i, record in enumerate(records)]

    return make


@pytest.fixture
def sound():
    """Return the source of the sound reward."""
    return SOUND


@pytest.fixture
def rows(make_rows):
    """Return eight word problems whose references are objects."""
    return make_rows(8)


@pytest.fixture
def audited(write_reward, rows):
    """Return a function that audits a sound reward with some functions replaced."""

    def run(change="", *, path=None, limits=None, data=None, reward=None, **options):
        settings = {"timeout_s": 30.0, **(limits or {})}
        path = path or write_reward(SOUND + textwrap.dedent(change))
        file = RewardFile(path, limits=LambdaLimits(**settings), **(reward or {}))
        return audit(file, data or rows, **options)

    return run
