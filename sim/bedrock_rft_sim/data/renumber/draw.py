"""Draw new numbers for a problem, work its marks with them, and write its texts with them.

Whole stays whole, a division stays exact, above 0, 1 and 2 stays above; what was less stays less.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise

from bedrock_rft_sim.data.renumber.marks import Exact, NotExecutableError, evaluate
from bedrock_rft_sim.data.renumber.numbers import Number, numbers_in, numbers_in_solution
from bedrock_rft_sim.data.renumber.scheme import Scheme

ATTEMPTS = 150
"""Random draws before single numbers are tried one by one; each is a few evaluations."""

NumberMap = Mapping[Exact, Exact]
"""Old number of a problem -> new number."""


def draw(scheme: Scheme, rng: random.Random) -> NumberMap | None:
    """Return a map from old numbers to new ones; None where no draw kept every kind.

    At first every number is drawn; when that finds nothing, one or two at a time; then every value
    of a single number is tried.
    """
    old = {value: value for value in scheme.free}
    for drawn in _proposed(scheme, rng):
        if drawn != old and _rises(drawn):
            new = _worked(scheme, drawn)
            if new is not None and _rises(new):
                return new
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
        share = start + factor * drawn[free]
        if new.setdefault(old, share) != share:
            return None
    if any(new[total] != sum(new[part] for part in parts) for total, parts in scheme.sums):
        return None
    try:
        for tree, old in scheme.marks:
            value = evaluate(tree, new.__getitem__)
            if not _keeps_kind(old, value) or new.setdefault(old, value) != value:
                return None
    except NotExecutableError:  # a division by zero
        return None
    return new


def _keeps_kind(old: Exact, new: Exact) -> bool:
    if any((old > limit, old == limit) != (new > limit, new == limit) for limit in (0, 1, 2)):
        return False
    if old.denominator == 1:
        return new.denominator == 1
    return new.denominator != 1 and (new * 10 ** max(_decimals(old), 2)).denominator == 1


def _decimals(value: Exact) -> int:
    """Return the decimals that write the value out; 6 where nothing does."""
    return next((n for n in range(6) if (value * 10**n).denominator == 1), 6)


def _rises(numbers: dict[Exact, Exact]) -> bool:
    """Say whether what was less is still less."""
    return all(numbers[one] < numbers[two] for one, two in pairwise(sorted(numbers)))


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


def written_like(old: str, value: Exact) -> str:
    """Return the number with the old one's thousands commas, decimals and leading point."""
    places = max(len(old.partition(".")[2]), _decimals(value))
    number = Decimal(f"{(value * 10**places).numerator}e-{places}")
    text = f"{number:,f}" if "," in old else f"{number:f}"
    return text.removeprefix("0") if old.startswith(".") else text
