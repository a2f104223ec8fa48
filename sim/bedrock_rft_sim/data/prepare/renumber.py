"""Give a word problem new numbers and compute its answer again along its calculator marks.

A renumbering is a map from old numbers to new ones: every 48 of the problem becomes the same new
number wherever it stands, and every result is computed from the new numbers. Whatever a 48 of the
solution meant, it is then replaced by the right one, or there is no such map and no new problem.

The map also keeps what the words of a problem may rest on:
whole stays whole, a division stays exact, above 0, 1 and 2 stays above; what was less stays less,
so that "more than 8 hours", the cheaper offer and the slower runner stay what they were; numbers
in words, fractions, dates, ordinals and what the world fixes (7 days) do not change.

Not here: looking into records, and the second opinion (`renumber_verify`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise
from math import ceil, floor

from bedrock_rft_sim.data.prepare.marks import (
    MARK,
    Tree,
    check_mark,
    final_number,
    find_marks,
    numbers_of,
    parse,
)
from bedrock_rft_sim.data.prepare.renumber_candidates import candidates
from bedrock_rft_sim.data.prepare.renumber_constants import HELD, constants_allowed, constants_for
from bedrock_rft_sim.data.prepare.renumber_numbers import (
    Number,
    NumberWord,
    number_words_in,
    numbers_in,
    numbers_in_solution,
)

ATTEMPTS = 150
"""Random draws before single numbers are tried one by one; each is a few evaluations."""

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


Exact = int | Fraction
"""A whole number is an int while drawing: a hundred thousand draws take seconds, not minutes."""
ExactTree = Exact | tuple[str, "ExactTree", "ExactTree"]
NumberMap = dict[Fraction, Fraction]


@dataclass(frozen=True, slots=True)
class Scheme:
    """What may change in a problem and what follows from it."""

    free: dict[Exact, tuple[Exact, ...]]
    """Old numbers of the question, each with the new ones it may be given."""
    fixed: frozenset[Exact]
    shares: tuple[tuple[Exact, Exact, Exact, Exact], ...]
    """(old, free, a, b): old is a + b x free, as 0.8 is 1 - 20 / 100."""
    marks: tuple[tuple[ExactTree, Exact], ...]
    sums: tuple[tuple[Exact, tuple[Exact, ...]], ...]
    """Numbers of the question that are the sum of others, by intent or not: it must hold again."""


def exact(value: Fraction) -> Exact:
    """Return a whole number as an int."""
    return value.numerator if value.denominator == 1 else value


def _exact_tree(tree: Tree) -> ExactTree:
    if isinstance(tree, Fraction):
        return exact(tree)
    return tree[0], _exact_tree(tree[1]), _exact_tree(tree[2])


def scheme_of(question: str, solution: str) -> Scheme:
    """Return what may change in the problem.

    Raises:
        NotRenumberableError: it can't be executed with other numbers.
    """
    marks = _executable_marks(solution)
    if final_number(solution) != marks[-1][1]:
        raise NotRenumberableError("the final number is not the value of the last mark")
    asked, told = numbers_in(question), numbers_in_solution(MARK.sub("", solution))
    if any(number.kind == "strange" for number in (*asked, *told)):
        raise NotRenumberableError("a number is written in a form that is not understood")
    words = [*number_words_in(question), *number_words_in(solution)]
    both = f"{question}\n{solution}"
    fixed = _fixed(asked, told, words, both) | _fractions(question) | _risky(question, asked, marks)
    free = {n.value for n in asked if n.kind == "free"} - fixed
    shares = _shares(n for n in asked if n.value in free)
    allowed = constants_allowed(both)
    said = _named_by(question, asked)
    named = said | {share[0] for share in shares} | HELD | allowed
    in_marks, used = _trace(marks, told, named)
    _check_no_hidden_part(in_marks - said - {value for _, value in marks}, asked, free)
    shares = tuple(share for share in shares if share[0] in used)
    by_share = {share[1] for share in shares if share[0] in in_marks}
    _check_all_used(asked, number_words_in(question), in_marks | by_share)
    if not free:
        raise NotRenumberableError("every number of the question must stay as it is")
    sums = _sums({exact(number.value) for number in asked})
    _check_the_rest(question, asked, free, sums)
    full_marks = {Fraction(100)} if _EXAM.search(question) else set()
    relevant = used | {number.value for number in asked}
    return Scheme(
        free={
            exact(value): tuple(
                map(exact, candidates(value, [n for n in asked if n.value == value]))
            )
            for value in sorted(free)
        },
        fixed=frozenset(map(exact, (((fixed | allowed) & relevant) - free) | (full_marks - free))),
        shares=tuple((exact(o), exact(f), exact(a), exact(b)) for o, f, a, b in shares),
        marks=tuple((_exact_tree(tree), exact(value)) for tree, value in marks),
        sums=sums,
    )


def _executable_marks(solution: str) -> tuple[tuple[Tree, Fraction], ...]:
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


def _fixed(
    asked: list[Number], told: list[Number], words: list[NumberWord], text: str
) -> frozenset[Fraction]:
    named = [number.value for number in (*asked, *told) if number.kind == "named"]
    in_words = {value for word in words for value in word.values}
    return HELD | frozenset(named) | in_words | constants_for(text)


def _fractions(text: str) -> frozenset[Fraction]:
    """Return what a fraction such as 4/5 gives a solution: 4/5, 1/5, 4 and 5."""
    found: set[Fraction] = set()
    for top, bottom in re.findall(r"(\d+)\s?/\s?(\d+)(?![\d.])", text):
        if int(bottom):
            share = Fraction(int(top), int(bottom))
            found |= {share, 1 - share, Fraction(int(top)), Fraction(int(bottom))}
    return frozenset(found)


def _risky(
    question: str, asked: list[Number], marks: tuple[tuple[Tree, Fraction], ...]
) -> frozenset[Fraction]:
    """Return small numbers that may also count something else, so that they had better stay."""
    literals = [value for tree, _ in marks for value in numbers_of(tree)]
    listed = re.search(r"\b(?:first|second|third|last|others?|another|rest)\b", question)
    risky = set()
    for number in asked:
        count = sum(other.value == number.value for other in asked)
        if number.value <= SMALL and literals.count(number.value) > count:
            risky.add(number.value)
        if listed and number.value <= SMALL // 2:
            risky.add(number.value)
    return frozenset(risky)


def _shares(
    numbers: Iterable[Number],
) -> tuple[tuple[Fraction, Fraction, Fraction, Fraction], ...]:
    """Return what a solution may make of a percentage or of cents without a mark."""
    found: set[tuple[Fraction, Fraction, Fraction, Fraction]] = set()
    zero, one, hundred, hundredth = Fraction(0), Fraction(1), Fraction(100), Fraction(1, 100)
    for number in numbers:
        v = number.value
        if number.is_percent or number.is_cents:
            found.add((v / 100, v, zero, hundredth))
        if number.is_percent:
            found.add((1 - v / 100, v, one, -hundredth))
            found.add((1 + v / 100, v, one, hundredth))
            found.add((100 - v, v, hundred, -one))
            found.add((100 + v, v, hundred, one))
    return tuple(sorted(found))


def _named_by(question: str, asked: list[Number]) -> frozenset[Fraction]:
    """Return the numbers that a solution can take from the question."""
    words = {value for word in number_words_in(question) for value in word.values}
    return frozenset({number.value for number in asked} | words | _fractions(question))


def _trace(
    marks: tuple[tuple[Tree, Fraction], ...], told: list[Number], named: frozenset[Fraction]
) -> tuple[set[Fraction], set[Fraction]]:
    """Return what the marks, and what marks and sentences, take from outside their own results."""
    results: set[Fraction] = set()
    in_marks: set[Fraction] = set()
    for tree, value in marks:
        in_marks |= set(numbers_of(tree))
        if in_marks - named - results:
            raise NotRenumberableError("a number of the solution comes from nowhere")
        results.add(value)
    cut = {part for value in results if value.denominator != 1 for part in _neighbours(value)}
    if (in_marks & cut) - results - HELD:
        raise NotRenumberableError("a result may have been rounded on the way")
    said = {number.value for number in told}
    if said - named - results:
        raise NotRenumberableError("a number of the solution comes from nowhere")
    return in_marks, in_marks | said


def _neighbours(value: Fraction) -> tuple[Fraction, Fraction]:
    return Fraction(floor(value)), Fraction(ceil(value))


def _check_no_hidden_part(unsaid: set[Fraction], asked: list[Number], free: Set[Fraction]) -> None:
    """Refuse "2 sets in an hour" where the question says 30 minutes, and /2 where it says 50%."""
    for number in asked:
        wholes = {whole for unit, whole in _WHOLES if re.match(unit, number.after)} | {1}
        if number.value in free and any(part * number.value in wholes for part in unsaid - {0, 1}):
            raise NotRenumberableError("a number of the solution may follow from one that changes")


def _check_all_used(
    asked: list[Number], words: list[NumberWord], used: set[Fraction] | frozenset[Fraction]
) -> None:
    for number in asked:
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
    asked: list[Number],
    free: set[Fraction],
    sums: tuple[tuple[Exact, tuple[Exact, ...]], ...],
) -> None:
    """Refuse "the remaining 13 students" where nothing makes 13 follow from the other numbers."""
    summed = {value for total, parts in sums for value in (total, *parts)}
    for number in asked:
        is_rest = _REST.search(number.before) is not None
        if is_rest and number.kind == "free" and exact(number.value) not in summed:
            raise NotRenumberableError("what is left is stated, and would have to follow")
    if free and _REST_IN_WORDS.search(question):
        raise NotRenumberableError("what is left is stated, and would have to follow")


def draw(scheme: Scheme, rng: random.Random) -> NumberMap | None:
    """Return a map from old numbers to new ones; None where no draw kept every kind.

    At first every number is drawn; when that finds nothing, one or two at a time; then every value
    of a single number is tried.
    """
    old = {value: value for value in scheme.free}
    order = sorted(old)
    for drawn in _proposed(scheme, rng):
        if drawn == old or not all(drawn[a] < drawn[b] for a, b in pairwise(order)):
            continue
        new = _worked(scheme, drawn)
        if new is not None and _rises(new):
            return {Fraction(value): Fraction(other) for value, other in new.items()}
    return None


def _proposed(scheme: Scheme, rng: random.Random) -> Iterator[dict[Exact, Exact]]:
    old = {value: value for value in scheme.free}
    order = sorted(old)
    for attempt in range(ATTEMPTS):
        count = len(old) if attempt < ATTEMPTS // 2 else rng.randint(1, min(2, len(old)))
        chosen = order if count == len(old) else rng.sample(order, count)
        yield old | {value: rng.choice(scheme.free[value]) for value in chosen}
    singles = [(value, new) for value in order for new in scheme.free[value]]
    yield from (old | {value: new} for value, new in rng.sample(singles, len(singles)))


def _worked(scheme: Scheme, drawn: dict[Exact, Exact]) -> dict[Exact, Exact] | None:
    new: dict[Exact, Exact] = {value: value for value in scheme.fixed} | drawn
    for old, free, start, factor in scheme.shares:
        if new.setdefault(old, start + factor * drawn[free]) != start + factor * drawn[free]:
            return None
    for total, parts in scheme.sums:
        if new[total] != sum(new[part] for part in parts):
            return None
    for tree, old in scheme.marks:
        value = _computed(tree, new)
        if value is None or not _keeps_kind(old, value) or new.setdefault(old, value) != value:
            return None
    return new


def _computed(tree: ExactTree, new: dict[Exact, Exact]) -> Exact | None:
    """Return the value with each number replaced; None for a division by zero."""
    if not isinstance(tree, tuple):
        return new[tree]
    left, right = _computed(tree[1], new), _computed(tree[2], new)
    if left is None or right is None:
        return None
    if tree[0] == "+":
        return left + right
    if tree[0] == "-":
        return left - right
    if tree[0] == "*":
        return left * right
    return exact(Fraction(left) / right) if right else None


def _keeps_kind(old: Exact, new: Exact) -> bool:
    for limit in (0, 1, 2):
        if (old > limit, old == limit) != (new > limit, new == limit):
            return False
    if old.denominator == 1:
        return new.denominator == 1
    return new.denominator != 1 and (new * 10 ** max(_decimals(old), 2)).denominator == 1


def _decimals(value: Exact) -> int:
    """Return the decimals that write the value out; 6 where nothing does."""
    return next((n for n in range(6) if (value * 10**n).denominator == 1), 6)


def _rises(numbers: dict[Exact, Exact]) -> bool:
    """Say whether what was less is still less."""
    new = [numbers[old] for old in sorted(numbers)]
    return all(left < right for left, right in pairwise(new))


def rewrite_question(text: str, numbers: NumberMap) -> str:
    """Return the question with its free numbers replaced."""
    return _rewrite(text, numbers_in(text), numbers)


def rewrite_solution(text: str, numbers: NumberMap) -> str:
    """Return the solution, marks included, with its numbers replaced."""
    return _rewrite(text, numbers_in_solution(text), numbers)


def _rewrite(text: str, found: list[Number], numbers: NumberMap) -> str:
    parts, at = [], 0
    for number in found:
        new = numbers.get(number.value, number.value)
        if number.kind == "free" and new != number.value:
            parts += [text[at : number.start], written_like(number.text, new)]
            at = number.end
    return "".join([*parts, text[at:]])


def written_like(old: str, value: Fraction) -> str:
    """Return the number with the old one's thousands commas, decimals and leading point."""
    decimals = max(len(old.partition(".")[2]), _decimals(value))
    scaled = value * 10**decimals
    digits = str(scaled.numerator).rjust(decimals + 1, "0")
    whole, rest = (digits[:-decimals], digits[-decimals:]) if decimals else (digits, "")
    if "," in old:
        whole = f"{int(whole):,}"
    if old.startswith(".") and whole == "0":
        whole = ""
    return f"{whole}.{rest}" if rest else whole
