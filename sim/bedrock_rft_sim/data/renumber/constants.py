"""Numbers that the world fixes: a week has 7 days whatever the problem says; data only.

Where a trigger stands in a problem, its numbers never change, and a solution may use them although
the question does not name them.
"""

from __future__ import annotations

import re
from fractions import Fraction

_FIXED: tuple[tuple[str, str], ...] = (
    (r"%|percent|discount|tax|interest|commission", "1 100"),
    (r"weeks?|weekly|weekdays?", "7 52 5 4 2"),
    (r"weekends?", "2 5 7"),
    (r"months?|monthly", "12 30 31 28 4"),
    (r"years?|yearly|annual(?:ly)?|birthdays?", "12 52 365 366 1 4"),
    (r"decades?", "10"),
    (r"century|centuries", "100"),
    (r"days?|daily|everyday", "7 24 30 31 28 365"),
    (r"hours?|hourly|hrs?|mph", "60 24 3600 12"),
    (r"minutes?|mins?", "60"),
    (r"seconds?", "60 3600"),
    (r"morning|afternoon|noon|midnight|clock|am|pm", "12 24"),
    (r"dozens?", "12 24"),
    (r"half|halves|halved|halfway|double[sd]?|twice|both|pairs?|couples?|twins?", "2 50 1/2"),
    (r"tripl\w*|thrice|thirds?", "3 1/3 2/3"),
    (r"quarters?|quarterly|quadrupl\w*|fourths?", "4 25 1/4 3/4"),
    (r"fifths?|nickels?", "5"),
    (r"sixths?", "6"),
    (r"eighths?", "8"),
    (r"tenths?|dimes?", "10"),
    (r"cents?|penny|pennies|nickels?|dimes?|coins?|change", "1 5 10 25 50 100"),
    (r"foot|feet|ft|inch(?:es)?", "12 3"),
    (r"yards?", "3 36"),
    (r"miles?", "5280 1760"),
    (r"pounds?|lbs?|ounces?|oz", "16 2000"),
    (r"tons?", "2000 1000"),
    (r"gallons?|quarts?|pints?|cups?", "2 4 8 16 32 64 128"),
    (r"kilo\w*|km|kg|met(?:er|re)s?|grams?|lit(?:er|re)s?|milli\w*|ml|mm", "1000 100"),
    (r"km|kilometers?|miles?|kg|pounds?|feet|inch(?:es)?", "3.28 2.2 2.54 1.6 0.6"),
    (r"[gmtk]b|\w+bytes?", "1000 1024"),
    (r"centi\w*|cm", "100 10"),
    (r"rectang\w*|perimeter|squares?|sides?|edges?|corners?", "2 3 4 5 6 8"),
    (r"triang\w*", "2 3 180 60 90"),
    (r"pentagons?|stars?", "5"),
    (r"hexagons?|cubes?|dice|die|insects?|bugs?|ants?|bees?", "6"),
    (r"octagons?|spiders?|octopus\w*", "8"),
    (r"circles?|circular|degrees?|angles?", "360 180 90"),
    (r"legs?|legged|wheels?|tires?|paws?|feet", "2 3 4 6 8 18"),
    (r"bicycles?|bikes?|tricycles?|unicycles?|cars?|trucks?|motorcycles?", "1 2 3 4"),
    (r"fingers?|toes?|hands?|nails?", "2 5 10 20"),
    (r"cards?|deck", "52 13 4"),
    (r"alphabet|letters", "26"),
    (r"teeth", "32 28 20"),
    (r"innings?", "9"),
    (r"golf|holes?", "9 18"),
    (r"football|soccer|cricket", "11 22"),
    (r"basketball", "5 10 2 3"),
    (r"baseball", "3 9"),
    (r"states", "50"),
    (r"triplets", "3"),
    (r"quadruplets", "4"),
    (r"average|averaged|mean|grade|test|tests|exam|score|scored|scores", "100 2 3 4 5 6 7 8 9 10"),
    (r"ages?|old|older|born", "1 18 21 100"),
    (r"colou?rs?|kinds?|types?|flavors?|friends?|siblings?|brothers?|sisters?", "3 4"),
    (r"children|kids|sons|daughters|family|people|persons?", "3 4"),
)

_ALLOWED: tuple[tuple[str, str], ...] = (
    (r"%|percent|discount|tax|interest|commission", "1 100"),
    (r"weeks?|weekly", "7 52"),
    (r"weekends?", "2"),
    (r"months?|monthly", "12"),
    (r"years?|yearly|annual(?:ly)?", "12 52 365"),
    (r"days?|daily|everyday", "24"),
    (r"hours?|hourly", "60 24"),
    (r"minutes?|seconds?", "60"),
    (r"dozens?", "12"),
    (r"half|halves|halved|halfway", "2 1/2"),
    (r"double[sd]?|twice|both|pairs?|couples?|twins?", "2"),
    (r"tripl\w*|thrice|thirds?", "3"),
    (r"quarters?", "4 1/4 25"),
    (r"fourths?", "4"),
    (r"fifths?", "5"),
    (r"cents?", "100"),
    (r"foot|feet|inch(?:es)?", "12"),
    (r"yards?", "3"),
    (r"pounds?|ounces?", "16"),
    (r"tons?", "2000"),
    (r"kilo\w*|km|kg|met(?:er|re)s?|lit(?:er|re)s?", "1000"),
    (r"centi\w*|cm", "100"),
    (r"rectang\w*|perimeter", "2"),
    (r"square", "4"),
)

HELD = frozenset({Fraction(0), Fraction(1), Fraction(2)})
"""Never changed: too often a solution uses them for something that the question does not count."""

_Triggers = tuple[tuple[re.Pattern[str], frozenset[Fraction]], ...]


def _compiled(table: tuple[tuple[str, str], ...]) -> _Triggers:
    return tuple(
        (
            re.compile(rf"(?<![A-Za-z])(?:{words})(?![A-Za-z])", re.IGNORECASE),
            frozenset(map(Fraction, values.split())),
        )
        for words, values in table
    )


_FIXED_BY_WORDS = _compiled(_FIXED)
_ALLOWED_BY_WORDS = _compiled(_ALLOWED)


def constants_for(text: str) -> frozenset[Fraction]:
    """Return the numbers that the words of a problem hold fixed."""
    return _triggered(_FIXED_BY_WORDS, text)


def constants_allowed(text: str) -> frozenset[Fraction]:
    """Return the numbers that a solution may use although the question does not name them."""
    return _triggered(_ALLOWED_BY_WORDS, text)


def _triggered(triggers: _Triggers, text: str) -> frozenset[Fraction]:
    # Each word of the text once: less to look through.
    words = " ".join({word.lower() for word in re.findall(r"[A-Za-z]+|%", text)})
    return frozenset().union(*(values for trigger, values in triggers if trigger.search(words)))
