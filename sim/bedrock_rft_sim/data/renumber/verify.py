"""A second opinion on a renumbered problem, before it is written.

Reads the finished texts as a stranger would, with an evaluator of its own (operator precedence on
two stacks, where `marks` descends recursively), and knows nothing of the map that made them.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

_MARK = re.compile(r"<<([^<>=]+)=([^<>=]+)>>")
_PIECE = re.compile(r"\d[\d,]*\.?\d*|\.\d+|[-+*/()]|\S")
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2}
_OPERATORS: dict[str, Callable[[Fraction, Fraction], Fraction]] = dict(
    zip("+-*/", (operator.add, operator.sub, operator.mul, operator.truediv), strict=True)
)
_SIGNS = str.maketrans({"×": "*", "÷": "/", "−": "-", "–": "-", "$": " ", "€": " ", "£": " "})
_SUM = re.compile(
    r"([-+*/().,\d\s]*\d[-+*/().,\d\s]*[-+*/][-+*/().,\d\s]*\d[)\s]*)"
    r"=(?=\s*(\.?\d[\d,.]*(?:\s*/\s*\d+)?))"
)
"""What stands behind the sign may be the next sum of a chain: 5 + 5 x 3 = 5 + 15 = 20."""
_APART = re.compile(r"(?<=[\d).,])\s+(?=[\d(.])")
"""Between two numbers without a sign: the sum begins behind it ("at 5 years she is 25 - 5 =")."""


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum in a sentence: 2 x 16 = 32."""

    place: int
    """Its place among the sums of the text."""
    expression: str
    holds: bool
    """Whether both sides are equal."""


class NotASumError(ValueError):
    """A text that is no arithmetic."""


def refusal(*, question: str, solution: str, old_solution: str, answer: str) -> str | None:
    """Return why the new problem can't be trusted; None where everything computes.

    `answer` is the final answer as the record gives it.
    """
    marks = _MARK.findall(solution)
    if len(marks) != solution.count("<<") or not marks:
        return "a mark of the new solution can't be read"
    try:
        values = [compute(expression) for expression, _ in marks]
        stated = [compute(value) for _, value in marks]
        final = compute(solution.rpartition("####")[2])
        given = compute(answer)
    except NotASumError:
        return "a mark or the answer of the new solution can't be computed"
    if values != stated:
        return "a mark of the new solution does not compute"
    if not final == given == values[-1]:
        return "the new answer is not what the last mark computes"
    if not _said_after_marks(solution):
        return "the number behind a mark of the new solution is another one"
    held = {each.place for each in sums_outside_marks(old_solution) if each.holds}
    broken = {each.place for each in sums_outside_marks(solution) if not each.holds}
    if held & broken:
        return "a sum between the marks no longer computes"
    if re.search(r"(?<![\d.,])\d{9,}", question):
        return "a number of the new question is absurdly large"
    return None


def _said_after_marks(solution: str) -> bool:
    """Say whether each mark is followed by its own value where a number follows at all."""
    behind = re.findall(r"<<[^<>=]+=([^<>]+)>>\s?\$?(\d[\d,]*(?:\.\d+)?|\.\d+)", solution)
    return all(compute(value) == compute(said) for value, said in behind)


def sums_outside_marks(solution: str) -> list[Sum]:
    """Return the sums that the sentences state, units left out, with what they come to."""
    plain = _MARK.sub(" ", solution).translate(_SIGNS)
    plain = re.sub(r"(?<=[\d\s])[xX](?=[\s\d(])", "*", plain)
    plain = re.sub(r"/\s*[A-Za-z]+|[A-Za-z'’%]+", " ", plain)
    found = []
    for index, (left, right) in enumerate(_SUM.findall(plain)):
        try:
            said = _APART.split(left.rstrip())[-1].lstrip(" .,\n-+*/")
            found.append(Sum(index, said, compute(said) == compute(right.rstrip(".,"))))
        except NotASumError:
            continue
    return found


def compute(expression: str) -> Fraction:
    """Return the value of an expression.

    Raises:
        NotASumError: it is not arithmetic, or divides by zero.
    """
    values: list[Fraction] = []
    waiting: list[str] = []
    is_operand_next = True
    for piece in _PIECE.findall(expression.translate(_SIGNS)):
        if piece[0].isdigit() or (piece[0] == "." and len(piece) > 1):
            values.append(Fraction(piece.replace(",", "").rstrip(".")))
            is_operand_next = False
        elif piece == "(":
            waiting.append(piece)
        elif piece == ")":
            while waiting and waiting[-1] != "(":
                _apply(values, waiting.pop())
            if not waiting:
                raise NotASumError("a parenthesis too many")
            waiting.pop()
        elif piece in _PRECEDENCE:
            if is_operand_next:
                values.append(Fraction(0))
            while waiting and _PRECEDENCE.get(waiting[-1], 0) >= _PRECEDENCE[piece]:
                _apply(values, waiting.pop())
            waiting.append(piece)
            is_operand_next = True
        else:
            raise NotASumError(f"{piece!r} is not arithmetic")
    while waiting:
        _apply(values, waiting.pop())
    if len(values) != 1:
        raise NotASumError("numbers without an operator between them")
    return values[0]


def _apply(values: list[Fraction], sign: str) -> None:
    if len(values) < 2 or sign not in _PRECEDENCE:  # noqa: PLR2004
        raise NotASumError("an operator without its numbers")
    right, left = values.pop(), values.pop()
    try:
        values.append(_OPERATORS[sign](left, right))
    except ZeroDivisionError as error:
        raise NotASumError("a division by zero") from error
