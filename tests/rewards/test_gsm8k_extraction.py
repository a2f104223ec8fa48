"""The corpus of answers and the numbers a careful reader finds in them under the stated rules.

gsm8k_extraction.jsonl holds one case a line: the text, the number of the strict and of the flexible
reading (as an exact decimal or fraction, null for none), why, and where the case was reported. What
is expected was decided before any extractor was run; where the two differed, one of them was wrong.
"""

from __future__ import annotations

import json
import re
from fractions import Fraction
from functools import partial
from pathlib import Path

import pytest

from rewards import adaptive, composite, gsm8k, length_budget, math_steps

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "gsm8k_extraction.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
SOURCE = re.compile(r"own|[\w-]+/[\w-]+#\d+")
REPORTED = {
    "EleutherAI/lm-evaluation-harness#3214",
    "EleutherAI/lm-evaluation-harness#3438",
    "stanford-crfm/helm#4337",
    "sgl-project/sglang#29933",
    "open-compass/opencompass#2343",
    "open-compass/opencompass#2426",
    "open-compass/opencompass#2647",
}


def number_of(text):
    return None if text is None else Fraction(text)


def test_there_are_three_hundred_distinct_texts_and_every_report_is_covered():
    assert len({case["text"] for case in CASES}) == len(CASES) >= 300
    for case in CASES:
        assert set(case) == {"text", "strict", "flexible", "why", "source"}
        assert case["why"]
        assert SOURCE.fullmatch(case["source"])
    assert {case["source"] for case in CASES} >= REPORTED


def test_both_readings_and_both_outcomes_are_well_covered():
    strict = [case["strict"] is not None for case in CASES]
    flexible = [case["flexible"] is not None for case in CASES]
    assert min(strict.count(True), strict.count(False)) >= 100
    assert min(flexible.count(True), flexible.count(False)) >= 50
    assert sum(case["strict"] != case["flexible"] for case in CASES) >= 100


READERS = [
    ("gsm8k", "strict", gsm8k.read_answer),
    ("gsm8k", "flexible", partial(gsm8k.read_answer, method="flexible", boxed=False)),
    ("gsm8k, boxed", "flexible", partial(gsm8k.read_answer, method="flexible", boxed=True)),
    ("math_steps", "strict", math_steps.read_answer),
    ("length_budget", "strict", length_budget.read_answer),
    ("composite", "strict", composite.read_answer),
    ("adaptive", "flexible", adaptive.read_answer),
]


@pytest.mark.parametrize(
    ("reading", "read"),
    [reader[1:] for reader in READERS],
    ids=[f"{name}-{reading}" for name, reading, _ in READERS],
)
def test_a_reward_reads_what_a_careful_reader_reads(reading, read):
    # One test for all: one for each of 442 cases took more time than the reading.
    for number, case in enumerate(CASES, 1):
        assert read(case["text"]) == number_of(case[reading]), f"{number}: {case['why']}"
