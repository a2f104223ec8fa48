"""Strategies that know the prompt and never see its reference, and what a reward pays them at best.

The best mean score of these strategies over a file is the floor of a reward on it: a policy that
earns no more has learned nothing that a few lines of script do not know. Each strategy answers
every prompt of the file by one rule:
- arithmetic: numbers of the prompt combined in every operation, one equation after the other, as
  one chain, and with the last result behind the marker;
- guesses: a number of the prompt, or a result of one operation on two of them, in every form in
  which a final answer is stated; many guesses behind many markers;
- frequent: the references of the file that are most frequent, as the answer to everything; this is
  the one thing known beyond the prompt;
- words: the prompt itself, and single words of it;
- choices: each letter in turn, several at once, yes, no, true, false;
- code, queries, calls: functions that return a constant or an argument, everything of a table, each
  tool without arguments or with the numbers and names of the prompt.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations, product
from statistics import fmean
from typing import NamedTuple

SIGNS = "+-*/"
FORMS = ("{}", "#### {}", "ANSWER: {}", "\\boxed{{{}}}")
FREQUENT = 5
GUESSES = 24
LETTERS = "ABCDEFGHIJ"
FIXED = ("yes", "no", "true", "false", "none", "unknown", "0", "1", "{}", "[]")
ANSWER_KEYS = ("final_answer", "answer", "text", "ground_truth", "query", "calls")
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
NAME = re.compile(r"[^\W\d]\w*")

Answer = Callable[[str], str]


class Floor(NamedTuple):
    """The best of the strategies, and what each earns on average."""

    score: float
    strategy: str
    by_strategy: Mapping[str, float]


class Equation(NamedTuple):
    """One operation on two numbers."""

    left: Fraction
    sign: str
    right: Fraction
    result: Fraction

    def __str__(self) -> str:
        return f"{shown(self.left)} {self.sign} {shown(self.right)} = {shown(self.result)}"


def floor(
    grade: Callable[[list[tuple[int, str]]], list[float]], strategies: Mapping[str, list[str]]
) -> Floor:
    """Grade each different answer to each row once; the first of equal strategies is named.

    `grade` takes numbers of rows with an answer each, row by row, and gives their scores.
    """
    by_row = zip(*strategies.values(), strict=True)
    graded = [(row, answer) for row, each in enumerate(by_row) for answer in dict.fromkeys(each)]
    scores = dict(zip(graded, grade(graded), strict=True))
    means = {
        name: fmean(scores[pair] for pair in enumerate(answers))
        for name, answers in strategies.items()
    }
    best = max(means, key=lambda name: means[name])
    return Floor(means[best], best, means)


def answers(
    prompts: Sequence[str], references: Sequence[object] = (), *, families: Sequence[str] = ()
) -> dict[str, list[str]]:
    """The answers of every strategy, one per prompt; of all families unless some are named."""
    found = {
        f"{family}: {name}": [answer(prompt) for prompt in prompts]
        for family in families or FAMILIES
        for name, answer in FAMILIES[family]()
    }
    if "frequent" in families or not families:
        for text in most_frequent(references):
            for form in FORMS:
                found[f"frequent: {form.format(text)[:60]!r}"] = [form.format(text)] * len(prompts)
    return found


def shown(number: Fraction) -> str:
    """A number as people write it."""
    return str(number) if number.denominator == 1 else f"{float(number):.4g}"


def numbers_of(prompt: str) -> list[Fraction]:
    """The distinct numbers of a prompt, in order."""
    found = (Fraction(text.replace(",", "")) for text in NUMBER.findall(prompt))
    return list(dict.fromkeys(found))


def combine(left: Fraction, sign: str, right: Fraction) -> Iterator[Equation]:
    """One operation; nothing where it divides by 0."""
    if sign == "/" and right == 0:
        return
    result = {"+": left + right, "-": left - right, "*": left * right}.get(sign)
    yield Equation(left, sign, right, left / right if result is None else result)


def fold(numbers: Sequence[Fraction], signs: str) -> list[Equation]:
    """Each result goes on into the next operation."""
    equations: list[Equation] = []
    for right, sign in zip(numbers[1:], signs, strict=False):
        left = equations[-1].result if equations else numbers[0]
        equations += combine(left, sign, right)
    return equations


def pairs(numbers: Sequence[Fraction], signs: str) -> list[Equation]:
    """Every two numbers in every operation."""
    found = (combine(a, sign, b) for a, b in combinations(numbers, 2) for sign in signs)
    return [equation for each in found for equation in each]


def programs() -> Iterator[tuple[str, Callable[[str], list[Equation]]]]:
    """Ways to combine the numbers of a prompt."""
    for sign in SIGNS:
        yield f"the first two {sign}", lambda p, s=sign: fold(numbers_of(p)[:2], s)
        yield f"the last two {sign}", lambda p, s=sign: fold(numbers_of(p)[-2:], s)
        yield f"all {sign}", lambda p, s=sign: fold(numbers_of(p), s * 99)
    for signs in map("".join, product(SIGNS, repeat=2)):
        yield f"the first three {signs}", lambda p, s=signs: fold(numbers_of(p)[:3], s)
    yield "the last three **", lambda p: fold(numbers_of(p)[-3:], "**")
    for signs, most in product(("*", "*+", "+-*/"), (3, 4, 6)):
        yield f"{most} pairs {signs}", lambda p, s=signs, m=most: pairs(numbers_of(p), s)[:m]


def arithmetic() -> Iterator[tuple[str, Answer]]:
    """Equations in a list, in a chain, and with a guess behind the marker."""
    for name, program in programs():
        yield f"{name}, listed", lambda p, of=program: "\n".join(map(str, of(p)))
        yield f"{name}, chained", lambda p, of=program: " = ".join(map(str, of(p)))
        yield f"{name}, guessed", lambda p, of=program: _guessed(of(p))


def _guessed(equations: list[Equation]) -> str:
    lines = [str(equation) for equation in equations]
    return "\n".join([*lines, f"#### {shown(equations[-1].result)}"] if equations else lines)


def guesses() -> Iterator[tuple[str, Answer]]:
    """Numbers of the prompt and results of one operation, in every form of a final answer."""
    picks: dict[str, Callable[[list[Fraction]], Fraction]] = {
        "the first number": lambda numbers: numbers[0],
        "the last number": lambda numbers: numbers[-1],
        "the largest number": max,
        "the smallest number": min,
        "the sum of all": lambda numbers: sum(numbers, Fraction(0)),
    }
    for name, pick in picks.items():
        yield from _in_forms(name, lambda p, of=pick: shown(of(numbers_of(p) or [Fraction(0)])))
    for sign in SIGNS:
        name = f"the first two {sign}"
        yield from _in_forms(name, lambda p, s=sign: (_results(p, s) or ["0"])[0])
    for form in FORMS[1:]:
        name = f"many in {form!r}"
        yield name, lambda p, f=form: "\n".join(map(f.format, _results(p, SIGNS)[:GUESSES]))


def _results(prompt: str, signs: str) -> list[str]:
    return [shown(equation.result) for equation in pairs(numbers_of(prompt), signs)]


def _in_forms(name: str, say: Answer) -> Iterator[tuple[str, Answer]]:
    for form in FORMS:
        yield f"{name} as {form!r}", lambda p, f=form: f.format(say(p))


def words() -> Iterator[tuple[str, Answer]]:
    """The prompt itself, and single words of it."""
    yield "the prompt", lambda p: p
    yield "the prompt as JSON", lambda p: json.dumps({"text": p})
    picks: dict[str, Callable[[list[str]], str]] = {
        "the prompt on one line": " ".join,
        "the first word": lambda found: found[0],
        "the second word": lambda found: found[1 % len(found)],
        "the last word": lambda found: found[-1],
        "the longest word": lambda found: max(found, key=len),
        "the first name": lambda found: next((w for w in found[1:] if w[0].isupper()), found[0]),
    }
    for name, pick in picks.items():
        yield from _in_forms(name, lambda p, of=pick: of(NAME.findall(p) or ["?"]))


def choices() -> Iterator[tuple[str, Answer]]:
    """Each choice in turn, all at once, and fixed words."""
    for text in (*LETTERS, *FIXED):
        yield from _in_forms(text, lambda p, t=text: t)
    for form in FORMS[1:]:
        yield f"all letters in {form!r}", lambda p, f=form: "\n".join(map(f.format, LETTERS))
    yield from _in_forms("several letters", lambda p: "A or B or C or D")


def code() -> Iterator[tuple[str, Answer]]:
    """Functions of the name asked for, which return a constant or an argument."""
    for value in ("None", "True", "0", "[]", "''", "{}", "a[0]", "a[-1]"):
        yield f"return {value}", lambda p, v=value: _function(p, v)


def _function(prompt: str, value: str) -> str:
    named = re.search(r"([a-z_]\w*)\(", prompt)
    name = named[1] if named else "answer"
    return f"```python\ndef {name}(*a):\n    return {value}\n```"


def queries() -> Iterator[tuple[str, Answer]]:
    """Everything of a table that the prompt names, or how much there is."""
    for columns in ("*", "COUNT(*)"):
        for place, name in ((0, "first"), (-1, "last")):
            yield (
                f"SELECT {columns} of the {name} table",
                lambda p, c=columns, at=place: f"SELECT {c} FROM {_tables(p)[at]}",
            )
    yield "no rows", lambda p: "SELECT 1 WHERE 0"


def _tables(prompt: str) -> list[str]:
    return re.findall(r"\b([A-Za-z_]\w*)\s?\(", prompt) or ["t"]


def calls() -> Iterator[tuple[str, Answer]]:
    """Each tool that the prompt names, without arguments or with what stands in the prompt."""
    for place in range(3):
        yield f"tool {place + 1} alone", lambda p, at=place: _call(p, at, with_arguments=False)
        yield f"tool {place + 1}", lambda p, at=place: _call(p, at, with_arguments=True)
    yield "every tool", lambda p: json.dumps([_as_call(name, {}) for name, _ in _tools(p)])
    yield "no call", lambda p: "[]"


def _tools(prompt: str) -> list[tuple[str, list[str]]]:
    found = re.findall(r"\b([A-Za-z_]\w*)\(([^()]*)\)", prompt)
    return [(name, NAME.findall(arguments)) for name, arguments in found] or [("tool", [])]


def _call(prompt: str, place: int, *, with_arguments: bool) -> str:
    name, parameters = _tools(prompt)[place % len(_tools(prompt))]
    asked = prompt.rpartition("\n")[2]
    values = [float(shown(n)) for n in numbers_of(asked)]
    values += [word for word in NAME.findall(asked)[1:] if word[0].isupper()]
    arguments = dict(zip(parameters, values, strict=False)) if with_arguments else {}
    return json.dumps([_as_call(name, arguments)])


def _as_call(name: str, arguments: Mapping[str, object]) -> dict[str, object]:
    return {"name": name, "arguments": arguments}


def most_frequent(references: Sequence[object]) -> list[str]:
    """The commonest references of a file as texts, and what stands behind their markers."""
    texts = [_as_text(reference) for reference in references]
    ends = [text.rpartition("####")[2].strip() for text in texts]
    common = [text for each in (texts, ends) for text, _ in Counter(each).most_common(FREQUENT)]
    return list(dict.fromkeys(common))


def _as_text(reference: object) -> str:
    if isinstance(reference, dict):
        inner = next((reference[key] for key in ANSWER_KEYS if key in reference), None)
        if inner is not None:
            return _as_text(inner)
    return reference if isinstance(reference, str) else json.dumps(reference)


FAMILIES: Mapping[str, Callable[[], Iterator[tuple[str, Answer]]]] = {
    "arithmetic": arithmetic,
    "guesses": guesses,
    "frequent": lambda: iter(()),
    "words": words,
    "choices": choices,
    "code": code,
    "queries": queries,
    "calls": calls,
}
