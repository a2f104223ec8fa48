"""An evaluator of worked problems that shares nothing with the product: Python's own grammar.

    python tests/data/prepare/recomputed.py AUGMENTED.jsonl

reads a file that `rft data augment --renumber` wrote, computes every new problem again and lists
what is wrong; exit code 1 where anything is.
"""

from __future__ import annotations

import ast
import json
import operator
import re
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?|\.\d+"
MARK = re.compile(r"<<([^<>]+)=([^<>=]+)>>")


def value(expression: str) -> Fraction:
    """Compute an expression; a number keeps its digits, so 0.1 is a tenth and 007 no error."""
    plain = expression.replace("$", "")
    text = re.sub(
        r"[\d,]*\.?\d+%?|\d+\.",
        lambda match: _quoted(match.group().replace(",", "")),
        plain,
    )
    return _value(ast.parse(text.strip(), mode="eval").body)


def _quoted(number: str) -> str:
    return f"('{number[:-1]}'/'100')" if number.endswith("%") else f"'{number}'"


def _value(node: ast.expr) -> Fraction:
    if isinstance(node, ast.Constant):
        return Fraction(node.value)
    if isinstance(node, ast.UnaryOp):
        return -_value(node.operand) if isinstance(node.op, ast.USub) else _value(node.operand)
    if not isinstance(node, ast.BinOp):
        raise SyntaxError(ast.dump(node))  # noqa: TRY004 - as ast.parse says it
    result = OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    assert isinstance(result, Fraction)
    return result


def texts(record: dict[str, Any]) -> tuple[str, str, str]:
    """Return question, solution and answer of a record of either GSM8K shape."""
    reference = record["reference_answer"]
    if isinstance(reference, dict):
        answer = reference["final_answer"]
        return _asked(record), "\n".join([*reference["steps"], f"#### {answer}"]), answer
    return _asked(record), reference, record.get("ground_truth", reference.partition("####")[2])


def _asked(record: dict[str, Any]) -> str:
    return str(record["messages"][-1]["content"])


def mistakes(record: dict[str, Any], parent: dict[str, Any] | None = None) -> Iterator[str]:
    """Say what is wrong with a worked problem; with its parent, also what is worse than there."""
    _, solution, answer = texts(record)
    marks = MARK.findall(solution)
    if len(marks) != solution.count("<<") or not marks:
        yield "a mark can't be read"
        return
    for expression, stated in marks:
        if value(expression) != value(stated):
            yield f"{expression} is not {stated}"
    for stated, printed in re.findall(rf"=([^<>=]+)>>\s?\$?({NUMBER})", solution):
        if value(printed) != value(stated):
            yield f"{printed} behind a mark that says {stated}"
    if not value(solution.split("####")[1]) == value(answer) == value(marks[-1][1]):
        yield f"{answer} is not the last result"
    if parent is not None:
        yield from _worse(texts(record), texts(parent))


def _worse(new: tuple[str, str, str], old: tuple[str, str, str]) -> Iterator[str]:
    new_marks, old_marks = MARK.findall(new[1]), MARK.findall(old[1])
    renumbered = {
        value(was[1]): value(now[1]) for was, now in zip(old_marks, new_marks, strict=True)
    }
    numbers = [[value(n) for text in each for n in re.findall(NUMBER, text)] for each in (old, new)]
    if len(numbers[0]) != len(numbers[1]):
        yield "the texts do not hold the same number of numbers"
        return
    for was, now in zip(*numbers, strict=True):
        if renumbered.setdefault(was, now) != now:
            yield f"{was} became {now} here and {renumbered[was]} there"
    for was_said, now_said in zip(equations(old[1]), equations(new[1]), strict=True):
        if holds(was_said) and not holds(now_said):
            yield f"{now_said} does not hold, {was_said} did"


def equations(solution: str) -> list[str]:
    """Return what stands before and behind each equals sign of the sentences, units left out."""
    found = []
    plain = MARK.sub("", solution).translate(str.maketrans("×÷–−", "*/--"))
    plain = re.sub(r"(?<=[\d\s)])[xX](?=[\s\d($])", "*", plain).replace("$", "")
    for match in re.finditer(rf"=\s*((?>{NUMBER}))(?!\s*[-+*/(])", plain):
        pieces = re.findall(rf"{NUMBER}|[-+*/()=\n]", plain[: match.start()])
        taken: list[str] = []
        for piece in reversed(pieces):
            is_number, was_number = (
                piece[-1].isdigit(),
                bool(taken) and taken[0][0] in ".0123456789(",
            )
            if piece in "=\n" or (was_number and (is_number or piece == ")")):
                break
            taken.insert(0, piece)
        found.append(f"{' '.join(taken)} = {match.group(1)}")
    return found


def holds(equation: str) -> bool:
    """Say whether both sides are the same number; one that can't be read does not hold."""
    left, _, right = equation.partition("=")
    try:
        return value(left) == value(right)
    except (SyntaxError, ZeroDivisionError):
        return False


def renumbered_rows(path: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each renumbered row of a file with its parent."""
    parents = {}
    with path.open(encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            if record.get("augmentation") == "renumber":
                yield record, parents[record["parent_id"]]
            else:
                parents[record["id"]] = record


def main() -> int:
    """Recompute a file from the command line."""
    count = wrong = equal = 0
    for record, parent in renumbered_rows(Path(sys.argv[1])):
        count += 1
        found = list(mistakes(record, parent))
        wrong += bool(found)
        equal += sum(map(holds, equations(texts(record)[1])))
        sys.stdout.writelines(f"{record['id']}: {each}\n" for each in found)
    sys.stdout.write(f"{count:,} new problems, {equal:,} sums in sentences hold, {wrong:,} wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
