"""Compare a reference answer with its own worked solution and with its prompt.

A remark here is a reason to look, with the recomputation beside it; it does not say that the
answer is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from bedrock_rft_sim.data.prepare.rows import prompt_text, reference_text
from bedrock_rft_sim.data.prepare.worked import answers_of, problem_of
from bedrock_rft_sim.data.renumber.marks import (
    MARK,
    Exact,
    NotExecutableError,
    answer_number,
    check_mark,
    evaluate,
    final_number,
    find_marks,
    parse,
    shown,
)
from bedrock_rft_sim.data.renumber.numbers import numbers_in_solution

_BEHIND_MARK = re.compile(
    r"<<[^<>=]+=([-\d.,]+)>>\s?\$?(\d[\d,]*(?:\.\d+)?|\.\d+)(?![\d/%]|[.,]\d|\s?[-+*/x]\s?\d)"
)
_PLAIN = r"\(?\$?(?:\d[\d,]*(?:\.\d+)?|\.\d+)\)?"
_SUM = re.compile(
    r"(?<![\w.,%)/*+×÷−–-])(?<![%)/*+×÷xX−–=-]\s)(?<!\s\w\s)"
    r"(?<!\d\s)(?<!\d,\s)(?<!\s\.\s)(?<!\band\s)(?<!\bday\s)"  # 24 1/2; 14, 400; . 84; day 1
    rf"({_PLAIN}(?:\s?[-+*/x×÷−–]\s?{_PLAIN})+)"
    r"\s?=\s?(\$?(?:\d[\d,]*(?:\.\d+)?|\.\d+))(?![\d%/]|[.,]\d|\s?[-+*/x×÷−–(]|[a-zA-Z]|\s\d{3}\b)"
)
"""A sum without a word or a letter in it; the number behind the sign ends there."""
_UNCLEAR = re.compile(r"(?<![\d.,])0\d|/\s?[\d.]+\s?/")
"""Half of a split number (80 000), a time of day (0730), a division by a written fraction."""
_ANNOUNCED = r"(?:####|\\boxed\{{|\banswer(?:\s+is)?\s*[:=]?)\s*\$?{number}(?![\d.,]*\d)"
_LEAK_WORDS = 3
"""A reference of fewer words may stand in its prompt by chance or as one of its choices."""


def mark_remarks(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (kind, detail) for what in the reference contradicts itself.

    Kinds: `mark` (a calculator mark does not compute), `mark-not-executable`, `printed` (the number
    behind a mark is another one), `sum` (a sum in a sentence does not hold), `final` (the solution
    never comes to the final number), `answers` (two final answers).
    """
    problem = problem_of(record)
    solution = problem.solution if problem and problem.solution else reference_text(record)
    if solution is None:
        return
    yield from _marks(solution)
    yield from _printed(solution)
    yield from _sums(solution)
    yield from _finals(record, solution)


def _marks(solution: str) -> Iterator[tuple[str, str]]:
    for mark in find_marks(solution):
        checked = check_mark(mark)
        if checked.verdict == "wrong":
            yield "mark", checked.detail
        elif checked.verdict == "not executable":
            yield "mark-not-executable", f"<<{mark.expression}={mark.value}>>: {checked.detail}"


def _printed(solution: str) -> Iterator[tuple[str, str]]:
    for value, printed in _BEHIND_MARK.findall(solution):
        if Fraction(value.replace(",", "")) != Fraction(printed.replace(",", "")):
            yield "printed", f"the mark says {value}, the text behind it {printed}"


def _sums(solution: str) -> Iterator[tuple[str, str]]:
    for line in MARK.sub("", solution).splitlines():
        for match in _SUM.finditer(line):
            left, right = match.group(1).strip(), match.group(2)
            if _UNCLEAR.search(left):
                continue
            try:
                computed, stated = evaluate(parse(left)), evaluate(parse(right))
            except NotExecutableError:
                continue
            if computed != stated and not _is_other_form(computed, stated, line):
                yield "sum", f"{left} = {shown(computed)}, the text says {right}"


def _is_other_form(computed: Exact, stated: Exact, line: str) -> bool:
    """Say whether the text rounds, or counts in hundredths: no mistake either."""
    digits = len(shown(stated).partition(".")[2])
    is_rounded = abs(Fraction(computed - stated)) < Fraction(1, 10**digits)
    in_hundredths = stated * 100 == computed or computed * 100 == stated
    return is_rounded or (in_hundredths and re.search(r"%|percent|cent|¢", line) is not None)


def _finals(record: dict[str, Any], solution: str) -> Iterator[tuple[str, str]]:
    final = final_number(solution)
    if final is None:
        return
    marks = [mark for mark in find_marks(solution) if check_mark(mark).verdict == "computes"]
    last = evaluate(parse(marks[-1].value)) if marks else final
    if (
        final != last
        and not _is_other_form(last, final, f"{solution}\n{prompt_text(record)}")
        and not _is_said(final, solution)
    ):
        computed = f"the last mark says {marks[-1].expression} = {marks[-1].value}"
        yield "final", f"{computed}, the final number {shown(final)} is nowhere in the solution"
    for answer in answers_of(record):
        stated = answer_number(answer)
        if stated is not None and stated != final:
            yield "answers", f"{shown(stated)} beside a solution that ends in {shown(final)}"


def _is_said(final: Fraction, solution: str) -> bool:
    """Say whether a sentence comes to the number, without a mark."""
    return final in {n.value for n in numbers_in_solution(solution.rpartition("####")[0])}


def leak(record: dict[str, Any]) -> str | None:
    """Return where the prompt gives its own reference away; None where it does not."""
    prompt, reference = prompt_text(record), reference_text(record)
    if not prompt or not reference:
        return None
    if len(reference.split()) >= _LEAK_WORDS and reference.strip() in prompt:
        return "the prompt holds the whole reference answer"
    final = final_number(reference)
    if final is None and re.fullmatch(r"\s*\$?-?[\d,.]*\d\s*", reference):
        final = final_number(f"#### {reference}")
    if final is None:
        return None
    number = re.escape(shown(final))
    announced = re.search(_ANNOUNCED.format(number=number), prompt, re.IGNORECASE)
    return f"the prompt says {announced.group()!r}" if announced else None
