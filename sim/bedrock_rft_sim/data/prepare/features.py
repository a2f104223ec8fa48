"""What a row is like: a key's value, or a feature derived from its texts, as the name of a class.

Derived features are taken from the record alone and need no tokenizer: lengths count words.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bedrock_rft_sim.data.prepare.rows import DataRow, prompt_text, reference_text
from bedrock_rft_sim.data.prepare.worked import answers_of, problem_of
from bedrock_rft_sim.data.renumber import marks
from bedrock_rft_sim.errors import DataError

MISSING = "(missing)"
Label = tuple[str, ...]
"""The name of a class: one word for each key."""


def _solution(record: dict[str, Any]) -> str:
    problem = problem_of(record)
    return (problem.solution if problem else None) or reference_text(record) or ""


def operations(record: dict[str, Any]) -> str:
    """Return which of + - * / the marks of the solution use; "none" without marks."""
    used: set[str] = set()
    for mark in marks.find_marks(_solution(record)):
        try:
            used |= _operators(marks.parse(mark.expression))
        except marks.NotExecutableError:
            used.add("?")
    return "".join(sign for sign in "+-*/?" if sign in used) or "none"


def _operators(tree: marks.Tree) -> set[str]:
    if not isinstance(tree, tuple):
        return set()
    return {tree[0]} | _operators(tree[1]) | _operators(tree[2])


def steps(record: dict[str, Any]) -> str:
    """Return how many lines the solution has before its final answer."""
    lines = _solution(record).partition("####")[0].splitlines()
    count = sum(1 for line in lines if line.strip())
    return str(count) if count else MISSING


def answer_size(record: dict[str, Any]) -> str:
    """Return the size of the final number: negative, fraction, or its number of digits."""
    numbers = [marks.answer_number(text) for text in (_solution(record), *answers_of(record))]
    final = next((number for number in numbers if number is not None), None)
    if final is None:
        return MISSING
    if final < 0:
        return "negative"
    if final.denominator != 1:
        return "fraction"
    digits = len(str(final.numerator))
    return f"{digits} digit{'s' if digits > 1 else ''}"


def prompt_length(record: dict[str, Any]) -> str:
    """Return between which powers of two the number of words of the prompt is."""
    words = len(prompt_text(record).split())
    low = 1 << (max(words, 1).bit_length() - 1)
    return f"{low}-{2 * low - 1} words"


DERIVED: dict[str, Callable[[dict[str, Any]], str]] = {
    "operations": operations,
    "steps": steps,
    "answer_size": answer_size,
    "prompt_length": prompt_length,
}


def value_at(record: dict[str, Any], path: str) -> str:
    """Return the value at a dotted path as text; `(missing)` where there is none."""
    value: Any = record
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = value[key]
    if value is None:
        return MISSING
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def label_of(record: dict[str, Any], by: Sequence[str]) -> Label:
    """Return the class of the record; a key named like a derived feature has a dot before it."""
    return tuple(
        DERIVED[name](record) if name in DERIVED else value_at(record, name.removeprefix("."))
        for name in by
    )


def profile(rows: Iterable[DataRow], by: Sequence[str]) -> dict[Label, int]:
    """Return how many rows each class has, the largest first.

    Raises:
        DataError: no row has one of the keys.
    """
    counts: Counter[Label] = Counter()
    keys: Counter[str] = Counter()
    for row in rows:
        counts[label_of(row.record, by)] += 1
        keys.update(list(row.record))
    for at, name in enumerate(by):
        if counts and all(label[at] == MISSING for label in counts):
            raise DataError(
                f"no row has the key {name!r}",
                expected=f"a dotted path in the records, or one of {', '.join(DERIVED)}",
                found=f"top-level keys {', '.join(key for key, _ in keys.most_common(12))}",
                hint="choose another key with --by",
            )
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def label_text(label: Label) -> str:
    """Return the class in words."""
    return " / ".join(label)
