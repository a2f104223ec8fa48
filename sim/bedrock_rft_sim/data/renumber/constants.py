"""Numbers that the world fixes: a week has 7 days whatever the problem says; data only.

Where a trigger stands in a problem, its numbers never change, and a solution may use them although
the question does not name them.
"""

from __future__ import annotations

import re
from fractions import Fraction

from bedrock_rft_sim.files import table_beside

HELD = frozenset({Fraction(0), Fraction(1), Fraction(2)})
"""Never changed: too often a solution uses them for something that the question does not count."""

_Triggers = tuple[tuple[re.Pattern[str], frozenset[Fraction]], ...]


def _compiled(table: list[tuple[str, str]]) -> _Triggers:
    return tuple(
        (
            re.compile(rf"(?<![A-Za-z])(?:{words})(?![A-Za-z])", re.IGNORECASE),
            frozenset(map(Fraction, values.split())),
        )
        for words, values in table
    )


_TABLES = table_beside(__file__, "constants.toml")
_FIXED = _compiled(_TABLES["fixed"])
_ALLOWED = _compiled(_TABLES["allowed"])


def constants_for(text: str) -> frozenset[Fraction]:
    """Return the numbers that the words of a problem hold fixed."""
    return _triggered(_FIXED, text)


def constants_allowed(text: str) -> frozenset[Fraction]:
    """Return the numbers that a solution may use although the question does not name them."""
    return _triggered(_ALLOWED, text)


def _triggered(triggers: _Triggers, text: str) -> frozenset[Fraction]:
    # Each word of the text once: less to look through.
    words = " ".join({word.lower() for word in re.findall(r"[A-Za-z]+|%", text)})
    return frozenset().union(*(values for trigger, values in triggers if trigger.search(words)))
