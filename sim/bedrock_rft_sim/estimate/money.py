"""What a job will cost: each line with its price, the price's date and source, or what is missing.

A number that nobody published and nobody measured is named as missing, never made up.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bedrock_rft_sim.contract.prices import BILLED, PRICES, Price
from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.estimate.quantity import Quantity, exact, stated
from bedrock_rft_sim.estimate.workload import JobCounts
from bedrock_rft_sim.recipe.load import read_text
from bedrock_rft_sim.recipe.reader import read_document
from bedrock_rft_sim.recipe.wording import did_you_mean
from bedrock_rft_sim.runs.metrics import is_number

PriceList = Mapping[str, Price]

USER = "given by you"
SECONDS_PER_HOUR = 3600
PER_MILLION_BELOW = 0.001
"""Prices in dollars below this are printed per million."""


@dataclass(frozen=True)
class MoneyLine:
    """One line of the bill."""

    name: str
    usd: Quantity | None
    """None where a number is missing."""
    how: str
    """The multiplication in words, with the price's date and source."""
    missing: str | None = None
    """What to give, so that the line can be worked out."""


@dataclass(frozen=True)
class Bill:
    """The lines, the sum of those that have a value, and what may come on top."""

    hours: Quantity | None
    lines: tuple[MoneyLine, ...]

    @property
    def known(self) -> Quantity:
        """The sum of the lines that have a value; one that is only bounded is not in it."""
        return _sum(usd for usd in self._amounts() if usd.value is not None)

    @property
    def on_top(self) -> Quantity | None:
        """The sum of the lines that only have an upper bound; None where there is none."""
        bounded = [usd for usd in self._amounts() if usd.value is None]
        return _sum(bounded) if bounded else None

    @property
    def complete(self) -> bool:
        """Whether no line is missing."""
        return len(self._amounts()) == len(self.lines)

    def _amounts(self) -> list[Quantity]:
        return [line.usd for line in self.lines if line.usd is not None]


def _sum(amounts: Iterable[Quantity]) -> Quantity:
    return functools.reduce(Quantity.plus, amounts, exact(0.0))


def bill(work: JobCounts, prices: PriceList, *, step_seconds: float | None, stores: bool) -> Bill:
    """Return the bill; `step_seconds` are the cloud's, `stores` adds a month of storage."""
    hours = None
    if step_seconds is not None:
        hours = stated(step_seconds * work.steps.total / SECONDS_PER_HOUR)
    return Bill(hours, tuple(_lines(work, prices, hours, stores=stores)))


def _lines(
    work: JobCounts, prices: PriceList, hours: Quantity | None, *, stores: bool
) -> Iterable[MoneyLine]:
    yield _training(hours, prices["rft-hour"])
    yield _line("Lambda requests", work.lambda_invocations, prices["lambda-request"])
    yield _line("Lambda duration", work.gb_seconds, prices["lambda-gb-second"])
    if work.judge_calls is None:
        yield MoneyLine(
            "judge calls", None, "number x price per call", "give --judge-calls N, per answer"
        )
    elif work.judge_calls.value:
        yield _line("judge calls", work.judge_calls, prices["judge-call"])
    if stores:
        yield _line("model storage, one month", exact(1), prices["model-storage"])


def _training(hours: Quantity | None, price: Price) -> MoneyLine:
    line = _line("training hours", stated(0) if hours is None else hours, price)
    if hours is not None:
        return line
    lacking = ["--seconds-per-step S (measure it on a first job)"]
    lacking += [] if line.missing is None else [line.missing.removeprefix("give ")]
    return MoneyLine(line.name, None, "hours x price", "give " + " and ".join(lacking))


def _line(name: str, amount: Quantity, price: Price) -> MoneyLine:
    if price.usd is None:
        missing = f"give --price {price.name}=USD, per {price.per} ({price.source})"
        return MoneyLine(name, None, f"number x price per {price.per}", missing)
    many = price.usd < PER_MILLION_BELOW
    rate = _dollars(price.usd * 1e6) + " per million" if many else _dollars(price.usd)
    how = f"at {rate} (each {price.per}; {price.source}, {price.date})"
    return MoneyLine(name, amount.times(price.usd), how)


def _dollars(usd: float) -> str:
    return f"${usd:.2f}" if usd == round(usd, 2) else f"${usd:g}"


def price_list(*, file: Path | None = None, stated: Sequence[str] = ()) -> PriceList:
    """Return the table; a YAML or JSON file of NAME: VALUE, then each NAME=VALUE, override it.

    Raises:
        RecipeError: a name that no line of the bill has, or a price that is no number of dollars.
    """
    prices = dict(PRICES)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    for name, value, where in (*_from_file(file), *map(_assignment, stated)):
        if name not in BILLED:
            raise RecipeError("a job has no such price", where=where, found=name,
                              expected="one of " + ", ".join(BILLED),
                              hint=did_you_mean(name, BILLED))  # fmt: skip
        usd = _usd(value, where)
        prices[name] = replace(PRICES[name], usd=usd, date=today, source=USER)
    return prices


def _from_file(file: Path | None) -> list[tuple[str, object, str]]:
    if file is None:
        return []
    data = read_document(read_text(file, "prices"), name=str(file)).data
    if not isinstance(data, dict):
        raise RecipeError("no prices", where=str(file), expected="NAME: VALUE on each line")
    return [(str(name), value, str(file)) for name, value in data.items()]


def _assignment(text: str) -> tuple[str, object, str]:
    name, equals, value = text.partition("=")
    where = f"--price {text}"
    if not equals:
        raise RecipeError("no price", where=where, expected="NAME=VALUE", found=text)
    try:
        return name.strip(), float(value), where
    except ValueError:
        return name.strip(), value, where


def _usd(value: object, where: str) -> float:
    if is_number(value) and value >= 0:
        return float(value)
    raise RecipeError(
        "not a price", where=where, expected="US dollars, a number of at least 0", found=repr(value)
    )
