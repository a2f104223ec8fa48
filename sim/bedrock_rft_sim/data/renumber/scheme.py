"""What may change in a word problem, and what follows from it; refuses what can't be followed.

A solution is followed along its calculator marks: each number in it must come from the question, a
result before it, or what the world fixes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import ceil, floor

from bedrock_rft_sim.data.renumber.candidates import candidates
from bedrock_rft_sim.data.renumber.constants import HELD, constants_allowed, constants_for
from bedrock_rft_sim.data.renumber.marks import (
    MARK,
    Exact,
    Tree,
    check_mark,
    exact,
    final_number,
    find_marks,
    numbers_of,
    parse,
)
from bedrock_rft_sim.data.renumber.numbers import (
    Number,
    NumberWord,
    number_words_in,
    numbers_in,
    numbers_in_solution,
)

SMALL = 12
"""Up to here a number may count something that the question lists and never names as a number."""

_WHOLES: tuple[tuple[str, int], ...] = (
    (r"\s?%|\s?percent|[\s-]?(?:cents?|¢|centimet\w+|cm)\b", 100),
    (r"[\s-]?(?:minutes?|mins?|seconds?)\b", 60),
    (r"[\s-]?(?:hours?|hrs?)\b", 24),
    (r"[\s-]?(?:months?|inch(?:es)?)\b", 12),
    (r"[\s-]?days?\b", 7),
    (r"[\s-]?(?:grams?|g|met(?:er|re)s?|m|ml|millilit\w+)\b", 1000),
)
"""A unit and what it is a part of: "2 sets in an hour" follows from 30 minutes."""

_EXAM = re.compile(r"\b(?:quiz(?:zes)?|tests?|exams?|grades?)\b", re.IGNORECASE)
"""Where nobody scores above 100, if nobody did before: 100 keeps its place in the order."""

_REST = re.compile(r"\b(?:remaining|others?|rest)\s(?:of\s)?(?:the\s)?\$?$", re.IGNORECASE)
_REST_IN_WORDS = re.compile(
    r"\b(?:remaining|other|rest)\s(?:of\s)?(?:the\s)?(?:three|four|five|six|seven|eight|nine|ten"
    r"|eleven|twelve|twenty|thirty|forty|fifty)\b(?![\s-](?:thirds?|fourths?|fifths?|quarters?))",
    re.IGNORECASE,
)


class NotRenumberableError(ValueError):
    """A problem that can't be given new numbers; the message is the reason, the same for many."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """What may change in a problem and what follows from it."""

    free: dict[Exact, tuple[Exact, ...]]
    """Old numbers of the question, each with the new ones it may be given."""
    fixed: frozenset[Exact]
    shares: tuple[tuple[Exact, Exact, Exact, Exact], ...]
    """(old, free, a, b): old is a + b x free, as 0.8 is 1 - 20 / 100."""
    marks: tuple[tuple[Tree, Exact], ...]
    sums: tuple[tuple[Exact, tuple[Exact, ...]], ...]
    """Numbers of the question that are the sum of others, by intent or not: it must hold again."""


def scheme_of(question: str, solution: str) -> Scheme:
    """Return what may change in the problem.

    Raises:
        NotRenumberableError: it can't be executed with other numbers.
    """
    marks = _executable_marks(solution)
    if final_number(solution) != marks[-1][1]:
        raise NotRenumberableError("the final number is not the value of the last mark")
    posed, worked = numbers_in(question), numbers_in_solution(MARK.sub("", solution))
    if any(number.kind == "strange" for number in (*posed, *worked)):
        raise NotRenumberableError("a number is written in a form that is not understood")
    words = number_words_in(question)
    both = f"{question}\n{solution}"
    fixed = HELD | constants_for(both) | _fractions(question) | _risky(question, posed, marks)
    fixed |= {number.value for number in (*posed, *worked) if number.kind == "named"}
    fixed |= _values([*words, *number_words_in(solution)])
    free = {number.value for number in posed if number.kind == "free"} - fixed
    stated = {number.value for number in posed}
    source = stated | _values(words) | _fractions(question)
    shares = _shares(number for number in posed if number.value in free)
    allowed = constants_allowed(both)
    in_marks, used = _trace(marks, worked, source | {share[0] for share in shares} | HELD | allowed)
    _check_no_hidden_part(in_marks - source - {value for _, value in marks}, posed, free)
    shares = [share for share in shares if share[0] in used]
    _check_all_used(posed, words, in_marks | {share[1] for share in shares if share[0] in in_marks})
    if not free:
        raise NotRenumberableError("every number of the question must stay as it is")
    sums = _sums(set(map(exact, stated)))
    _check_the_rest(question, posed, free, sums)
    full_marks = {Fraction(100)} if _EXAM.search(question) else set()
    held = ((fixed | allowed) & (used | stated)) | full_marks
    return Scheme(
        free={exact(value): candidates(value, posed) for value in sorted(free)},
        fixed=frozenset(map(exact, held - free)),
        shares=tuple((exact(o), exact(f), exact(a), exact(b)) for o, f, a, b in shares),
        marks=marks,
        sums=sums,
    )


def _values(words: Iterable[NumberWord]) -> set[Fraction]:
    return {value for word in words for value in word.values}


def _executable_marks(solution: str) -> tuple[tuple[Tree, Exact], ...]:
    marks = []
    for mark in find_marks(solution):
        checked = check_mark(mark)
        if checked.verdict == "not executable":
            raise NotRenumberableError("a mark is not executable")
        if checked.verdict != "computes" or checked.computed is None:
            raise NotRenumberableError("a mark does not compute exactly")
        marks.append((parse(mark.expression), checked.computed))
    if not marks:
        raise NotRenumberableError("the solution has no calculator marks")
    return tuple(marks)


def _fractions(text: str) -> set[Fraction]:
    """Return what a fraction such as 4/5 gives a solution: 4/5, 1/5, 4 and 5."""
    found: set[Fraction] = set()
    for top, bottom in re.findall(r"(\d+)\s?/\s?(\d+)(?![\d.])", text):
        if int(bottom):
            share = Fraction(int(top), int(bottom))
            found |= {share, 1 - share, Fraction(int(top)), Fraction(int(bottom))}
    return found


def _risky(
    question: str, posed: list[Number], marks: tuple[tuple[Tree, Exact], ...]
) -> set[Fraction]:
    """Return small numbers that may also count something else, so that they had better stay."""
    literals = [value for tree, _ in marks for value in numbers_of(tree)]
    listed = re.search(r"\b(?:first|second|third|last|others?|another|rest)\b", question)
    values = [number.value for number in posed]
    return {
        value
        for value in values
        if (value <= SMALL and literals.count(value) > values.count(value))
        or (listed and value <= SMALL // 2)
    }


def _shares(numbers: Iterable[Number]) -> list[tuple[Fraction, Fraction, Fraction, Fraction]]:
    """Return what a solution may make of a percentage or of cents without a mark."""
    found: set[tuple[Fraction, Fraction, Fraction, Fraction]] = set()
    zero, one, hundred, hundredth = Fraction(0), Fraction(1), Fraction(100), Fraction(1, 100)
    for number in numbers:
        v = number.value
        if number.is_percent or number.is_cents:
            found.add((v / 100, v, zero, hundredth))
        if number.is_percent:
            for whole, part in ((one, hundredth), (hundred, one)):
                found.add((whole - part * v, v, whole, -part))
                found.add((whole + part * v, v, whole, part))
    return sorted(found)


def _trace(
    marks: tuple[tuple[Tree, Exact], ...], worked: list[Number], named: Set[Exact]
) -> tuple[set[Exact], set[Exact]]:
    """Return what the marks, and what marks and sentences, take from outside their own results."""
    results: set[Exact] = set()
    in_marks: set[Exact] = set()
    for tree, value in marks:
        in_marks |= set(numbers_of(tree))
        if in_marks - named - results:
            raise NotRenumberableError("a number of the solution comes from nowhere")
        results.add(value)
    cut = {part(value) for value in results if value.denominator != 1 for part in (floor, ceil)}
    if (in_marks & cut) - results - HELD:
        raise NotRenumberableError("a result may have been rounded on the way")
    said = {number.value for number in worked}
    if said - named - results:
        raise NotRenumberableError("a number of the solution comes from nowhere")
    return in_marks, in_marks | said


def _check_no_hidden_part(unsaid: set[Exact], posed: list[Number], free: Set[Exact]) -> None:
    """Refuse "2 sets in an hour" where the question says 30 minutes, and /2 where it says 50%."""
    for number in posed:
        wholes = {whole for unit, whole in _WHOLES if re.match(unit, number.after)} | {1}
        if number.value in free and any(part * number.value in wholes for part in unsaid - {0, 1}):
            raise NotRenumberableError("a number of the solution may follow from one that changes")


def _check_all_used(posed: list[Number], words: list[NumberWord], used: Set[Exact]) -> None:
    for number in posed:
        if number.kind == "free" and number.value not in used:
            raise NotRenumberableError("a number of the question is not used by a mark")
    for word in words:
        if not word.is_idle and not word.values & used:
            raise NotRenumberableError("a number word of the question is not used by a mark")


def _sums(values: set[Exact]) -> tuple[tuple[Exact, tuple[Exact, ...]], ...]:
    found: list[tuple[Exact, tuple[Exact, ...]]] = []
    big = sorted(value for value in values if value > 2)  # noqa: PLR2004
    for total in big:
        smaller = [value for value in big if value < total]
        found += [(total, pair) for pair in combinations(smaller, 2) if sum(pair) == total]
        if len(smaller) > 2 and sum(smaller) == total:  # noqa: PLR2004
            found.append((total, tuple(smaller)))
    return tuple(found)


def _check_the_rest(
    question: str,
    posed: list[Number],
    free: set[Fraction],
    sums: tuple[tuple[Exact, tuple[Exact, ...]], ...],
) -> None:
    """Refuse "the remaining 13 students" where nothing makes 13 follow from the other numbers."""
    summed = {value for total, parts in sums for value in (total, *parts)}
    for number in posed:
        is_rest = _REST.search(number.before) is not None
        if is_rest and number.kind == "free" and exact(number.value) not in summed:
            raise NotRenumberableError("what is left is stated, and would have to follow")
    if free and _REST_IN_WORDS.search(question):
        raise NotRenumberableError("what is left is stated, and would have to follow")
