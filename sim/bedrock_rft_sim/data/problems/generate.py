"""Draw word problems from a seed, one after the other.

Does not read files, does not know models, and never holds more than the hashes of what it
has already given out.
A question belongs to one split for good, by its own hash, so no seed can mix the splits.
Each run of len(FAMILIES) problems holds every family once, in a drawn order.
"""

from __future__ import annotations

import hashlib
import operator
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bedrock_rft_sim.data.problems.families import FAMILIES, GOODS, NAMES, THINGS, Family, Step

ProblemSplit = Literal["train", "validation", "test"]

BUCKETS = 10
VALIDATION_BUCKET = 0
TEST_BUCKET = 1
LARGEST = 200

ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.floordiv}


@dataclass(frozen=True, slots=True)
class Problem:
    """A question with its worked answer."""

    id: str
    family: str
    question: str
    solution: str
    """GSM8K style: one line per step with a <<a+b=c>> mark, then '#### n'."""
    steps: tuple[str, ...]
    answer: int


def generate(count: int, *, seed: int, split: ProblemSplit = "train") -> Iterator[Problem]:
    """Yield `count` different problems of one split; the same arguments, the same problems."""
    rng = random.Random(f"{split}:{seed}")  # noqa: S311 - reproducible, not secret
    seen: set[bytes] = set()
    for number, family in zip(range(count), _families(rng), strict=False):
        yield _new_problem(family, rng=rng, split=split, seen=seen, name=f"{split}-{number:05d}")


def split_of(question: str) -> ProblemSplit:
    """Say which split a question belongs to: 8 in 10 train, 1 in 10 each validation and test."""
    bucket = int.from_bytes(fingerprint(question)[:8], "big") % BUCKETS
    if bucket == VALIDATION_BUCKET:
        return "validation"
    return "test" if bucket == TEST_BUCKET else "train"


def _families(rng: random.Random) -> Iterator[Family]:
    while True:
        yield from rng.sample(FAMILIES, len(FAMILIES))


def _new_problem(
    family: Family, *, rng: random.Random, split: ProblemSplit, seen: set[bytes], name: str
) -> Problem:
    while True:
        problem = _problem(family, rng=rng, name=name)
        key = fingerprint(problem.question)
        if split_of(problem.question) == split and key not in seen:
            seen.add(key)
            return problem


def _problem(family: Family, *, rng: random.Random, name: str) -> Problem:
    words = _words(rng)
    values = _values(family, rng)
    shown = {**words, **{key: str(value) for key, value in values.items()}}
    question = rng.choice(family.questions).format(**shown)
    steps = tuple(_line(step, values=values, words=words, rng=rng) for step in family.steps)
    answer = values[family.steps[-1].result]
    return Problem(
        id=f"{name}-{family.name}",
        family=family.name,
        question=question[0].upper() + question[1:],
        solution="\n".join((*steps, f"#### {answer}")),
        steps=steps,
        answer=answer,
    )


def _words(rng: random.Random) -> dict[str, str]:
    first, second, third = rng.sample(NAMES, 3)
    things, goods = rng.choice(THINGS), rng.choice(GOODS)
    return {"A": first, "B": second, "C": third, "things": things, "goods": goods}


def _values(family: Family, rng: random.Random) -> dict[str, int]:
    """Draw until every step comes out whole, above 1 and not too large."""
    while True:
        drawn = {name: rng.randint(low, high) for name, (low, high) in family.ranges.items()}
        values = _worked(family, drawn)
        if values is not None:
            return values


def _worked(family: Family, drawn: dict[str, int]) -> dict[str, int] | None:
    values = dict(drawn)
    for step in family.steps:
        left, right = _operands(step, values)
        result = ARITHMETIC[step.operator](left, right)
        uneven = step.operator == "/" and left % right
        if uneven or not 1 < result <= LARGEST:
            return None
        values[step.result] = result
    return values


def _operands(step: Step, values: dict[str, int]) -> tuple[int, int]:
    left, right = (
        int(name) if name.isdecimal() else values[name] for name in (step.left, step.right)
    )
    return left, right


def _line(step: Step, *, values: dict[str, int], words: dict[str, str], rng: random.Random) -> str:
    left, right = _operands(step, values)
    result = values[step.result]
    lead = rng.choice(step.leads).format(**words)
    sum_ = f"{left}{step.operator}{right}"
    end = f" {step.unit.format(**words)}." if step.unit else "."
    return f"{lead[0].upper()}{lead[1:]} <<{sum_}={result}>>{result}{end}"


def fingerprint(question: str) -> bytes:
    """Return what stands for a text where texts are too many to keep."""
    return hashlib.sha256(question.encode()).digest()[:16]
