"""Strategies that know the prompt and never see its reference.

Each answers every prompt of the file by one rule:
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

Strategies = Iterator[tuple[str, str]]
"""Names, each with its answer to the prompt; the same names for every prompt."""


class Equation(NamedTuple):
    """One operation on two numbers."""

    left: Fraction
    sign: str
    right: Fraction
    result: Fraction

    def __str__(self) -> str:
        return f"{shown(self.left)} {self.sign} {shown(self.right)} = {shown(self.result)}"


def blind_answers(
    prompts: Sequence[str], references: Sequence[object], *, families: Sequence[str] = ()
) -> dict[str, list[str]]:
    """The answers of every strategy, one per prompt; of all families unless some are named.

    `references` are those of the file, of which the most frequent are told to `frequent`.
    """
    found: dict[str, list[str]] = {}
    for family, of in FAMILIES.items():
        if family in (families or FAMILIES):
            for prompt in prompts:
                for name, answer in of(prompt):
                    found.setdefault(f"{family}: {name}", []).append(answer)
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


def programs(prompt: str) -> Iterator[tuple[str, list[Equation]]]:
    """Ways to combine the numbers of a prompt."""
    numbers = numbers_of(prompt)
    for sign in SIGNS:
        yield f"the first two {sign}", fold(numbers[:2], sign)
        yield f"the last two {sign}", fold(numbers[-2:], sign)
        yield f"all {sign}", fold(numbers, sign * len(numbers))
    for signs in map("".join, product(SIGNS, repeat=2)):
        yield f"the first three {signs}", fold(numbers[:3], signs)
    yield "the last three **", fold(numbers[-3:], "**")
    for signs, most in product(("*", "*+", "+-*/"), (3, 4, 6)):
        yield f"{most} pairs {signs}", pairs(numbers, signs)[:most]


def arithmetic(prompt: str) -> Strategies:
    """Equations in a list, in a chain, and with a guess behind the marker."""
    for name, equations in programs(prompt):
        lines = [str(equation) for equation in equations]
        yield f"{name}, listed", "\n".join(lines)
        yield f"{name}, chained", " = ".join(lines)
        guess = [f"#### {shown(equations[-1].result)}"] if equations else []
        yield f"{name}, guessed", "\n".join([*lines, *guess])


def guesses(prompt: str) -> Strategies:
    """Numbers of the prompt and results of one operation, in every form of a final answer."""
    numbers = numbers_of(prompt) or [Fraction(0)]
    yield from _in_forms("the first number", shown(numbers[0]))
    yield from _in_forms("the last number", shown(numbers[-1]))
    yield from _in_forms("the largest number", shown(max(numbers)))
    yield from _in_forms("the smallest number", shown(min(numbers)))
    yield from _in_forms("the sum of all", shown(sum(numbers, Fraction(0))))
    for sign in SIGNS:
        results = [shown(equation.result) for equation in pairs(numbers, sign)]
        yield from _in_forms(f"the first two {sign}", results[0] if results else "0")
    many = [shown(equation.result) for equation in pairs(numbers, SIGNS)[:GUESSES]]
    for form in FORMS[1:]:
        yield f"many in {form!r}", "\n".join(map(form.format, many))


def _in_forms(name: str, text: str) -> Strategies:
    for form in FORMS:
        yield f"{name} as {form!r}", form.format(text)


def words(prompt: str) -> Strategies:
    """The prompt itself, and single words of it."""
    found = NAME.findall(prompt) or ["?"]
    yield "the prompt", prompt
    yield "the prompt as JSON", json.dumps({"text": prompt})
    yield from _in_forms("the prompt on one line", " ".join(found))
    yield from _in_forms("the first word", found[0])
    yield from _in_forms("the second word", found[1 % len(found)])
    yield from _in_forms("the last word", found[-1])
    yield from _in_forms("the longest word", max(found, key=len))
    name = next((word for word in found[1:] if word[0].isupper()), found[0])
    yield from _in_forms("the first name", name)


def choices(_: str) -> Strategies:
    """Each choice in turn, all at once, and fixed words."""
    for text in (*LETTERS, *FIXED):
        yield from _in_forms(text, text)
    for form in FORMS[1:]:
        yield f"all letters in {form!r}", "\n".join(map(form.format, LETTERS))
    yield from _in_forms("several letters", "A or B or C or D")


def code(prompt: str) -> Strategies:
    """Functions of the name asked for, which return a constant or an argument."""
    named = re.search(r"([a-z_]\w*)\(", prompt)
    name = named[1] if named else "answer"
    for value in ("None", "True", "0", "[]", "''", "{}", "a[0]", "a[-1]"):
        yield f"return {value}", f"```python\ndef {name}(*a):\n    return {value}\n```"


def queries(prompt: str) -> Strategies:
    """Everything of a table that the prompt names, or how much there is."""
    tables = re.findall(r"\b([A-Za-z_]\w*)\s?\(", prompt) or ["t"]
    for columns in ("*", "COUNT(*)"):
        for place, name in ((0, "first"), (-1, "last")):
            query = f"SELECT {columns} FROM {tables[place]}"  # noqa: S608 - an answer, never run here
            yield f"SELECT {columns} of the {name} table", query
    yield "no rows", "SELECT 1 WHERE 0"


def calls(prompt: str) -> Strategies:
    """Each tool that the prompt names, without arguments or with what stands in the prompt."""
    found = re.findall(r"\b([A-Za-z_]\w*)\(([^()]*)\)", prompt) or [("tool", "")]
    asked = prompt.rpartition("\n")[2]
    values: list[object] = [float(shown(number)) for number in numbers_of(asked)]
    values += [word for word in NAME.findall(asked)[1:] if word[0].isupper()]
    for place in range(3):
        name, parameters = found[place % len(found)]
        filled = dict(zip(NAME.findall(parameters), values, strict=False))
        yield f"tool {place + 1} alone", json.dumps([{"name": name, "arguments": {}}])
        yield f"tool {place + 1}", json.dumps([{"name": name, "arguments": filled}])
    yield "every tool", json.dumps([{"name": name, "arguments": {}} for name, _ in found])
    yield "no call", "[]"


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


FAMILIES: Mapping[str, Callable[[str], Strategies]] = {
    "arithmetic": arithmetic,
    "guesses": guesses,
    "words": words,
    "choices": choices,
    "code": code,
    "queries": queries,
    "calls": calls,
}
