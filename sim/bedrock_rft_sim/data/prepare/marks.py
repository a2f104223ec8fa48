"""Calculator marks: `<<48/2=24>>`, read and computed again.

Exact arithmetic on fractions with a parser of its own: nothing of a data file is ever run as code.
Knows `+ - * / x × ÷`, parentheses, decimals, thousands commas and percentages, which is all that
the marks of GSM8K hold; anything else is said to be not executable, never guessed.

Source: openai/grade-school-math (what a mark is: the model writes it, a calculator fills it in).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Verdict = Literal["computes", "rounded", "wrong", "not executable"]

MARK = re.compile(r"<<([^<>\n]*)>>")
FINAL = re.compile(r"####\s*([-−]?)\s*\$?\s*((?:\d[\d,]*(?:\.\d+)?|\.\d+))")
MAX_LENGTH = 300
"""Characters of an expression; also bounds how deeply parentheses can nest."""

_TOKEN = re.compile(r"\s*(?:(\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d+(?:\.\d*)?|\.\d+)|(\S))")
_SIGNS = {"x": "*", "X": "*", "×": "*", "÷": "/", "−": "-", "–": "-"}

Tree = Fraction | tuple["str", "Tree", "Tree"]
"""A number, or an operator with its two sides."""


class NotExecutableError(ValueError):
    """An expression that is no plain arithmetic; the message says why."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark as it stands in a text."""

    expression: str
    value: str
    start: int
    """Index of the first `<` in the text."""
    end: int
    """Index after the last `>`."""


@dataclass(frozen=True, slots=True)
class CheckedMark:
    """A mark and what came of computing it again."""

    mark: Mark
    verdict: Verdict
    computed: Fraction | None
    """None where the mark is not executable."""
    detail: str
    """The recomputation, or why there is none."""


def find_marks(text: str) -> list[Mark]:
    """Return the marks in order; without an equals sign the value is empty."""
    found = []
    for match in MARK.finditer(text):
        expression, _, value = match.group(1).rpartition("=")
        if not expression:
            expression, value = value, ""
        found.append(Mark(expression.strip(), value.strip(), match.start(), match.end()))
    return found


def check_mark(mark: Mark) -> CheckedMark:
    """Compute the mark again and say whether it holds."""
    try:
        computed = evaluate(parse(mark.expression))
        stated = evaluate(parse(mark.value)) if mark.value else None
    except NotExecutableError as error:
        return CheckedMark(mark, "not executable", None, str(error))
    if stated is None:
        return CheckedMark(mark, "not executable", computed, "no value behind an equals sign")
    detail = f"{mark.expression} = {shown(computed)}, the mark says {mark.value}"
    return CheckedMark(mark, _verdict(computed, stated, mark.value), computed, detail)


def _verdict(computed: Fraction, stated: Fraction, text: str) -> Verdict:
    if computed == stated:
        return "computes"
    digits = len(text.partition(".")[2].rstrip("%"))
    unit = Fraction(1, 10 ** (digits + (2 if text.endswith("%") else 0)))
    return "rounded" if abs(computed - stated) < unit else "wrong"


def final_number(text: str) -> Fraction | None:
    """Return the number behind the last `####`; None where there is none."""
    matches = FINAL.findall(text)
    if not matches:
        return None
    sign, digits = matches[-1]
    value = Fraction(digits.replace(",", ""))
    return -value if sign else value


def parse(expression: str) -> Tree:
    """Return the expression as a tree.

    Raises:
        NotExecutableError: it is more or less than arithmetic.
    """
    if len(expression) > MAX_LENGTH:
        raise NotExecutableError(f"an expression of {len(expression)} characters")
    tokens: list[Fraction | str] = []
    for number, sign in _TOKEN.findall(expression):
        if not number and sign in "$€£":
            continue
        tokens.append(Fraction(number.replace(",", "")) if number else _SIGNS.get(sign, sign))
    reader = _Reader(tokens)
    tree = reader.sum()
    if not reader.at_end:
        raise NotExecutableError(f"{reader.next!s} where an operator was expected")
    return tree


def evaluate(tree: Tree, number: Callable[[Fraction], Fraction] = lambda value: value) -> Fraction:
    """Return the value of the tree, each of its numbers first given to `number`.

    Raises:
        NotExecutableError: a division by zero.
    """
    if isinstance(tree, Fraction):
        return number(tree)
    operator, one, two = tree
    left, right = evaluate(one, number), evaluate(two, number)
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if right == 0:
        raise NotExecutableError("a division by zero")
    return left / right


def numbers_of(tree: Tree) -> list[Fraction]:
    """Return the numbers of the tree from left to right."""
    if isinstance(tree, Fraction):
        return [tree]
    return [*numbers_of(tree[1]), *numbers_of(tree[2])]


def shown(value: Fraction) -> str:
    """Return the value as a decimal where it is one of at most six digits, else as a fraction."""
    scaled = value * 10**6
    if scaled.denominator != 1:
        return f"{value.numerator}/{value.denominator} ({float(value):.4g})"
    sign, digits = "-" if value < 0 else "", str(abs(scaled.numerator)).rjust(7, "0")
    return (f"{sign}{digits[:-6]}.{digits[-6:]}").rstrip("0").rstrip(".")


class _Reader:
    """Recursive descent over tokens: sum, product, signed, atom."""

    def __init__(self, tokens: list[Fraction | str]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._tokens)

    @property
    def next(self) -> Fraction | str | None:
        return None if self.at_end else self._tokens[self._at]

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
        if self.next == "+":
            self._take()
            return self.signed()
        if self.next == "-":
            self._take()
            return ("-", Fraction(0), self.signed())
        tree = self.atom()
        while self.next == "%":
            self._take()
            tree = ("/", tree, Fraction(100))
        return tree

    def atom(self) -> Tree:
        piece = None if self.at_end else self._take()
        if piece == "(":
            tree = self.sum()
            if self.next != ")":
                raise NotExecutableError("a parenthesis that is not closed")
            self._take()
            return tree
        if not isinstance(piece, Fraction):
            end = "the end of the expression" if piece is None else repr(piece)
            raise NotExecutableError(f"{end} where a number was expected")
        return piece

    def _take(self) -> Fraction | str:
        self._at += 1
        return self._tokens[self._at - 1]
