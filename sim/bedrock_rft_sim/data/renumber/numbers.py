"""Find the numbers of a text, in digits and in words, and say which may be given a new value.

A digit number is free unless its surroundings say that it names something: an ordinal, a year, a
date, a time of day, a ratio, a range, a written fraction, a bank note, a grade, a listed count.
A number in words is never free.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

NumberKind = Literal["free", "named", "strange"]
"""named: stays as it is.  strange: in a form that is not understood."""

_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?|(?<!\d)\.\d+")
_MONTHS = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
)
_GLUED_UNITS = r"(?:ft|kg|g|lbs?|cm|mm|km|mph|oz|ml|mL|hrs?|mins?|GB|MB|TB|kb|cents?)\b"
_NAMED_AFTER = re.compile(
    r"(?:st|nd|rd|th)\b|['’]?s\b|\s?(?:[ap]\.?m\b|[AP]\.?M\b|o['’]clock|noon)|[:/]\s?\d|\s?/\s?\d"
    r"|\s?[-–—]\s?\$?\d|\s\d+\s?/\s?\d|\s(?:to|or)\s\$?\d|\s?[¼½¾⅓⅔]|\s(?:and\sa|and\sone)[\s-]"
    r"|[\s-](?:dollar|cent|pound|euro)?[\s-]?(?:bill|coin|note)s?\b"
    r"|\s(?:dozen|hundred|thousand|million|billion|gross|score|pairs?|couples?)\b"
    rf"|[\s,]+(?:of\s)?{_MONTHS}\b|\s(?:times\s)?in\sa\srow\b|\sout\sof\s"
)
_NAMED_BEFORE = re.compile(
    r"(?:\d\s?[:/]\s?|\d\s?[-–—]\s?\$?|\d\s(?:to|or|and)\s\$?|[#№]\s?|\d\s)$"
    r"|\b(?:grade|chapter|page|level|size|room|route|highway|number|no\.|day|week|month|year|step"
    r"|round|part|unit|version|class|phase|lane|house|apartment|quarter|team|group|type|stage"
    r"|model|code|channel|exit|gate|platform|line|bus|train|flight|out of|ratio of|scale of"
    r"|score of|at age|age of|until|by|at)\s\$?$"
    rf"|\b{_MONTHS}\s$",
    re.IGNORECASE,
)
_LIST_AFTER = re.compile(r"[^.?!\d]{0,60}?(?::|\b(?:named|called|namely|such as|including)\b)")
_YEARS = range(1600, 2101)

_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_CARDINALS = {
    **{word: value for value, word in enumerate(_UNITS)},
    **{word: 10 * value for value, word in enumerate(_TENS, 2)},
    "fourty": 40,
}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000}
_ORDINAL_WORDS = (
    *("third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh"),
    "twelfth",
)
_ORDINALS = {word: value for value, word in enumerate(_ORDINAL_WORDS, 3)}
_ORDINALS |= {"twentieth": 20, "hundredth": 100}
_OTHER_WORDS = {
    word: frozenset(map(Fraction, values.split()))
    for words, values in (
        ("half halves halved", "2 1/2 50"),
        ("twice double doubled doubles both pair pairs couple twins", "2"),
        ("triplets triple triples tripled thrice threefold", "3"),
        ("quadruple quadrupled", "4"),
        ("quarter quarters", "4 1/4 3/4 25"),
        ("decade", "10"),
        ("dozen dozens", "12"),
        ("century", "100"),
        ("gross", "144"),
    )
    for word in words.split()
}
_IDLE_WORDS = {"one", "zero", "pair", "pairs", "both", "couple", "third", "fourth", "fifth"}
"""Words that often count nothing, so that no mark need use them."""

_WORD = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Number:
    """A number in digits, as it stands in a text."""

    text: str
    value: Fraction
    start: int
    end: int
    kind: NumberKind
    before: str
    """The characters before it, at most 40."""
    after: str
    """The characters behind it, at most 80."""

    @property
    def is_percent(self) -> bool:
        """Whether it is a share of a hundred."""
        return re.match(r"\s?%|\s?percent", self.after) is not None

    @property
    def is_cents(self) -> bool:
        """Whether it is an amount of the hundredth part of a coin."""
        return re.match(r"[\s-]?(?:cents?\b|¢|c\b)", self.after) is not None


def numbers_in(text: str) -> list[Number]:
    """Return the digit numbers of a text in order."""
    return _numbers(text, _kind)


def numbers_in_solution(text: str) -> list[Number]:
    """Return the digit numbers of a worked solution, where `/`, `-` and `:` are mostly signs."""
    return _numbers(text, _kind_in_solution)


def _numbers(text: str, kind_of: Callable[[str, str, str], NumberKind]) -> list[Number]:
    found = []
    for match in _NUMBER.finditer(text):
        number, (start, end) = match.group(), match.span()
        before, after = text[max(0, start - 40) : start], text[end : end + 80]
        kind = kind_of(number, before, after)
        value = Fraction(number.replace(",", ""))
        found.append(Number(number, value, start, end, kind, before, after))
    return found


def _kind(text: str, before: str, after: str) -> NumberKind:
    value = Fraction(text.replace(",", ""))
    is_year = len(text) == 4 and value in _YEARS and not before.endswith("$")  # noqa: PLR2004
    is_listed = _LIST_AFTER.match(after) and value <= 20  # noqa: PLR2004
    if is_year or is_listed or _NAMED_AFTER.match(after) or _NAMED_BEFORE.search(before):
        return "named"
    return "strange" if before[-1:] in ("^", "√") else _kind_by_letters(before, after, r"\s|\$|\d")


def _kind_in_solution(text: str, before: str, after: str) -> NumberKind:
    del text
    if re.match(r"(?:st|nd|rd|th)\b|:\d\d|\s?(?:[ap]\.?m\b|[AP]\.?M\b)", after):
        return "named"
    return (
        "named" if re.search(r"\d:$", before) else _kind_by_letters(before, after, r"\s|\$|\d|\(")
    )


def _kind_by_letters(before: str, after: str, behind_times: str) -> NumberKind:
    """Return strange where letters or powers stick to the number; `x` may be a times sign."""
    is_times = re.match(rf"[xX](?:{behind_times})", after)
    letters = after[:1].isalpha() and not is_times and not re.match(_GLUED_UNITS, after)
    glued = before[-1:].isalpha() and not re.search(r"(?:^|[^A-Za-z])[xX]$", before)
    return "strange" if letters or glued or after[:1] in ("^", "³", "²") else "free"


@dataclass(frozen=True, slots=True)
class NumberWord:
    """A number in words and the values that it may stand for in a calculation."""

    word: str
    values: frozenset[Fraction]
    is_idle: bool
    """It often counts nothing ("one of them"), so that no mark need use it."""


def number_words_in(text: str) -> list[NumberWord]:
    """Return the number words of a text; `twenty-five` is one word that stands for 25."""
    found = []
    words = [match.group().lower() for match in _WORD.finditer(text)]
    at = 0
    while at < len(words):
        values, length = _cardinal(words, at)
        if not length:
            values, length = _other(words[at]), 1
        if values:
            word = " ".join(words[at : at + length])
            found.append(NumberWord(word, values, word in _IDLE_WORDS))
        at += length
    return found


def _cardinal(words: list[str], at: int) -> tuple[frozenset[Fraction], int]:
    """Return the value of the longest run of number words from here, and how many they are."""
    total, current, length = 0, 0, 0
    for word in words[at:]:
        if word in _CARDINALS:
            current += _CARDINALS[word]
        elif word in _SCALES:
            current = max(current, 1) * _SCALES[word]
            if word != "hundred":
                total, current = total + current, 0
        else:
            break
        length += 1
    values = {Fraction(total + current)} if length else set()
    denominator = _denominator(words, at + length)
    if length and denominator:
        share = Fraction(total + current, denominator)
        values |= {share, 1 - share, Fraction(denominator)}
    if length and words[at + length : at + length + 3] == ["and", "a", "half"]:
        values.add(total + current + Fraction(1, 2))
    return frozenset(values), length


def _denominator(words: list[str], at: int) -> int | None:
    word = words[at] if at < len(words) else ""
    return 2 if word in ("half", "halves") else _ORDINALS.get(word.removesuffix("s"))


def _other(word: str) -> frozenset[Fraction]:
    number = _ORDINALS.get(word.removesuffix("s"))
    if number is None:
        return _OTHER_WORDS.get(word, frozenset())
    return frozenset({Fraction(number), Fraction(1, number), 1 - Fraction(1, number)})
