"""Calculator marks: `<<48/2=24>>`, read and computed again.

Exact arithmetic on fractions with a parser of its own: nothing of a data file is ever run as code.
Knows `+ - * / x × ÷`, parentheses, decimals, thousands commas and percentages, which is all that
the marks of GSM8K hold; anything else is said to be not executable, never guessed.

Source: openai/grade-school-math (what a mark is: the model writes it, a calculator fills it in).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

Verdict = Literal["computes", "rounded", "wrong", "not executable"]

MARK = re.compile(r"<<([^<>\n]*)>>")
FINAL = re.compile(r"####\s*([-−]?)\s*\$?\s*((?:\d[\d,]*(?:\.\d+)?|\.\d+))")
MAX_LENGTH = 300
"""Characters of an expression; also bounds how deeply parentheses can nest."""

_TOKEN = re.compile(r"\s*(?:(\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d+(?:\.\d*)?|\.\d+)|(\S))")
_SIGNS = {"x": "*", "X": "*", "×": "*", "÷": "/", "−": "-", "–": "-"}

Exact = int | Fraction
"""A whole number is an int, so that drawing numbers takes seconds and not minutes."""
Tree = Exact | tuple[str, "Tree", "Tree"]
"""A number, or an operator with its two sides."""


_OPERATORS: dict[str, Callable[[Any, Any], Exact]] = dict(
    zip("+-*/", (operator.add, operator.sub, operator.mul, Fraction), strict=True)
)


class NotExecutableError(ValueError):
    """An expression that is no plain arithmetic; the message says why."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark as it stands in a text."""

    expression: str
    value: str


@dataclass(frozen=True, slots=True)
class CheckedMark:
    """What came of computing a mark again."""

    verdict: Verdict
    computed: Exact | None
    """None where the mark is not executable."""
    detail: str
    """The recomputation, or why there is none."""


def find_marks(text: str) -> list[Mark]:
    """Return the marks in order; without an equals sign the value is empty."""
    found = []
    for inside in MARK.findall(text):
        expression, _, value = inside.rpartition("=")
        if not expression:
            expression, value = value, ""
        found.append(Mark(expression.strip(), value.strip()))
    return found


def check_mark(mark: Mark) -> CheckedMark:
    """Compute the mark again and say whether it holds."""
    try:
        computed = evaluate(parse(mark.expression))
        stated = evaluate(parse(mark.value)) if mark.value else None
    except NotExecutableError as error:
        return CheckedMark("not executable", None, str(error))
    if stated is None:
        return CheckedMark("not executable", computed, "no value behind an equals sign")
    detail = f"{mark.expression} = {shown(computed)}, the mark says {mark.value}"
    return CheckedMark(_verdict(computed, stated, mark.value), computed, detail)


def _verdict(computed: Exact, stated: Exact, text: str) -> Verdict:
    if computed == stated:
        return "computes"
    digits = len(text.partition(".")[2].rstrip("%"))
    unit = Fraction(1, 10 ** (digits + (2 if text.endswith("%") else 0)))
    return "rounded" if abs(Fraction(computed - stated)) < unit else "wrong"


def final_number(text: str) -> Fraction | None:
    """Return the number behind the last `####`; None where there is none."""
    matches = FINAL.findall(text)
    if not matches:
        return None
    sign, digits = matches[-1]
    value = Fraction(digits.replace(",", ""))
    return -value if sign else value


def answer_number(text: str) -> Fraction | None:
    """Return the number of an answer, which may stand behind `####`; None where there is none."""
    return final_number(text if "####" in text else f"#### {text}")


def parse(expression: str) -> Tree:
    """Return the expression as a tree.

    Raises:
        NotExecutableError: it is more or less than arithmetic.
    """
    if len(expression) > MAX_LENGTH:
        raise NotExecutableError(f"an expression of {len(expression)} characters")
    reader = _Reader(
        [
            exact(Fraction(number.replace(",", ""))) if number else _SIGNS.get(sign, sign)
            for number, sign in _TOKEN.findall(expression)
            if number or sign not in "$€£"
        ]
    )
    tree = reader.sum()
    if reader.next is not None:
        raise NotExecutableError(f"{reader.next!s} where an operator was expected")
    return tree


def exact(value: Exact) -> Exact:
    """Return a whole number as an int."""
    return value.numerator if value.denominator == 1 else value


def evaluate(tree: Tree, number: Callable[[Exact], Exact] = exact) -> Exact:
    """Return the value of the tree, each of its numbers first given to `number`.

    Raises:
        NotExecutableError: a division by zero.
    """
    if not isinstance(tree, tuple):
        return number(tree)
    try:
        return exact(_OPERATORS[tree[0]](evaluate(tree[1], number), evaluate(tree[2], number)))
    except ZeroDivisionError as error:
        raise NotExecutableError("a division by zero") from error


def numbers_of(tree: Tree) -> list[Exact]:
    """Return the numbers of the tree from left to right."""
    if not isinstance(tree, tuple):
        return [tree]
    return [*numbers_of(tree[1]), *numbers_of(tree[2])]


def shown(value: Exact) -> str:
    """Return the value as a decimal where it is one of at most six digits, else as a fraction."""
    scaled = value * 10**6
    if scaled.denominator != 1:
        return f"{value.numerator}/{value.denominator} ({float(value):.4g})"
    return f"{Decimal(f'{scaled.numerator}e-6'):f}".rstrip("0").rstrip(".")


class _Reader:
    """Recursive descent over tokens: sum, product, signed, atom."""

    def __init__(self, tokens: list[Exact | str]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def next(self) -> Exact | str | None:
        """The token to come; None at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def sum(self) -> Tree:
        tree = self.product()
        while self.next in ("+", "-"):
            tree = (str(self._take()), tree, self.product())
        return tree

    def product(self) -> Tree:
        tree = self.signed()
        while self.next in ("*", "/"):
            tree = (str(self._take()), tree, self.signed())
        return tree

    def signed(self) -> Tree:
        if self.next in ("+", "-"):
            return self.signed() if self._take() == "+" else ("-", 0, self.signed())
        tree = self.atom()
        while self.next == "%":
            self._take()
            tree = ("/", tree, 100)
        return tree

    def atom(self) -> Tree:
        piece = self._take()
        if piece == "(":
            tree = self.sum()
            if self._take() != ")":
                raise NotExecutableError("a parenthesis that is not closed")
            return tree
        if piece is None or isinstance(piece, str):
            end = "the end of the expression" if piece is None else repr(piece)
            raise NotExecutableError(f"{end} where a number was expected")
        return piece

    def _take(self) -> Exact | str | None:
        piece = self.next
        self._at += 1
        return piece
