"""The problem families: how each is worded, what is drawn, how it is solved.

Read from problems.toml, which also has the words to fill in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bedrock_rft_sim.files import table_beside

_TABLE = table_beside(__file__, "problems.toml")

NAMES: tuple[str, ...] = tuple(_TABLE["names"])
THINGS: tuple[str, ...] = tuple(_TABLE["things"])
"""What is owned, given, packed and shared."""
GOODS: tuple[str, ...] = tuple(_TABLE["goods"])
"""What is bought and sold."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a solution: `left operator right` gives the value called `result`."""

    result: str
    left: str
    operator: str
    right: str
    leads: list[str]
    unit: str


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of problem; `ranges` are inclusive bounds of the numbers in the question."""

    name: str
    questions: list[str]
    ranges: dict[str, list[int]]
    steps: tuple[Step, ...]


def _family(entry: dict[str, Any]) -> Family:
    steps = tuple(Step(*step) for step in entry.pop("steps"))
    return Family(steps=steps, **entry)


FAMILIES: tuple[Family, ...] = tuple(map(_family, _TABLE["families"]))
