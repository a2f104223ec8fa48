"""Which new values a number of a question may be given: of its size, its roundness and its unit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from bedrock_rft_sim.data.renumber.marks import Exact, exact
from bedrock_rft_sim.data.renumber.numbers import Number

_LIMITS: tuple[tuple[str, tuple[int, ...]], ...] = (
    (r"\s?%|\s?percent", (50, 100)),
    (r"[\s-]?(?:hours?|hrs?)\b", (8, 12, 24)),
    (r"[\s-]?(?:minutes?|mins?|seconds?)\b", (60,)),
    (r"[\s-]?days?\b", (7, 28)),
    (r"[\s-]?weeks?\b", (4, 52)),
    (r"[\s-]?months?\b", (12,)),
    (r"[\s-]?years?\b", (18, 100)),
    (r"[\s-]?inch(?:es)?\b", (12, 100)),
    (r"[\s-]?(?:feet|foot|ft)\b", (7,)),
    (r"[\s-]?(?:mph|miles?\s(?:per|an)\shour)\b", (80,)),
    (r"[\s-]?cents?\b", (100,)),
    (r"(?:[\s-]?degrees?\b|\s?°)", (32, 90, 100, 110, 180, 212, 360)),
    (r"[\s-]?(?:grade|star|point)s?\b", (10, 100)),
)
"""A unit and the sizes that a number of it does not cross: 5 days stays within a week."""

MOST = 60
"""New values kept for one number; more would only cost time."""


def candidates(value: Fraction, numbers: Sequence[Number]) -> tuple[Exact, ...]:
    """Return the values that may take the number's place, its own among them."""
    places = [number for number in numbers if number.value == value]
    grain = _grain(value, max((_decimals(number.text) for number in places), default=0))
    low, high = _range(value)
    for number in places:
        low, high = _within_unit(value, number.after, low, high)
    first = -(-low // grain)
    count = max(int((high - first * grain) // grain) + 1, 0)
    step = max(1, -(-count // MOST))
    found = [(first + index) * grain for index in range(0, count, step)]
    if value.denominator != 1:
        found = [new for new in found if new.denominator != 1]  # "4.5 times" is not "8.0 times"
    kept = [new for new in found if all(_same_article(number, value, new) for number in places)]
    return tuple(exact(new) for new in sorted({value, *kept}))


def _decimals(text: str) -> int:
    return len(text.partition(".")[2].rstrip("0"))


def _range(value: Fraction) -> tuple[Fraction, Fraction]:
    if value.denominator == 1 and value < 10:  # noqa: PLR2004
        return max(Fraction(3), value - 3), value + 4
    return value * Fraction(3, 5), value * Fraction(9, 5)


def _grain(value: Fraction, decimals: int) -> Fraction:
    """Return the step between values as round as this one: 5000 moves by 500, 1.25 by 0.25."""
    if decimals:
        unit = Fraction(1, 10**decimals)
        for multiple in (50, 25, 10, 5):
            if (value / (multiple * unit)).denominator == 1:
                return multiple * unit
        return unit
    if value < 20 or value % 5:  # noqa: PLR2004
        return Fraction(1)
    if value % 10 or value < 100:  # noqa: PLR2004
        return Fraction(5)
    zeros = len(str(int(value))) - len(str(int(value)).rstrip("0"))
    return Fraction(10**zeros, 1 if value / 10**zeros >= 10 else 10)  # noqa: PLR2004


def _within_unit(
    value: Fraction, after: str, low: Fraction, high: Fraction
) -> tuple[Fraction, Fraction]:
    for unit, limits in _LIMITS:
        if re.match(unit, after):
            low = max([low, *(Fraction(limit) for limit in limits if limit < value)])
            high = min([high, *(Fraction(limit) for limit in limits if limit >= value)])
    return low, high


def _same_article(number: Number, old: Fraction, new: Fraction) -> bool:
    """Say whether "a" or "an" before the number still fits."""
    if not re.search(r"\b[Aa]n?\s\$?$", number.before):
        return True
    return _sounds_like_a_vowel(old) == _sounds_like_a_vowel(new)


def _sounds_like_a_vowel(value: Fraction) -> bool:
    digits = str(int(value))
    return digits.startswith("8") or (digits[:2] in ("11", "18") and len(digits) % 3 == 2)  # noqa: PLR2004
