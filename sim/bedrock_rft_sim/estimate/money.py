"""What a job will cost: each line with its price, the price's date and source, or what is missing.

A number that nobody published and nobody measured is asked for, never made up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bedrock_rft_sim.contract.prices import Price
from bedrock_rft_sim.estimate.price_list import PriceList
from bedrock_rft_sim.estimate.quantity import Quantity, exact, stated
from bedrock_rft_sim.estimate.workload import Workload

SECONDS_PER_HOUR = 3600
PER_MILLION_BELOW = 0.001
"""Prices in dollars below this are told per million."""


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
        return _sum(line.usd for line in self.lines if _has_value(line.usd))

    @property
    def on_top(self) -> Quantity | None:
        """The sum of the lines that only have an upper bound; None where there is none."""
        bounded = [line.usd for line in self.lines if line.usd and not _has_value(line.usd)]
        return _sum(bounded) if bounded else None

    @property
    def complete(self) -> bool:
        """Whether no line is missing."""
        return all(line.usd is not None for line in self.lines)


def _has_value(usd: Quantity | None) -> bool:
    return usd is not None and usd.value is not None


def _sum(amounts: Iterable[Quantity | None]) -> Quantity:
    first, *others = [each for each in amounts if each is not None] or [exact(0.0)]
    for each in others:
        first = first.plus(each)
    return first


def bill(work: Workload, prices: PriceList, *, step_seconds: float | None, stores: bool) -> Bill:
    """Return the bill; `step_seconds` are the cloud's, `stores` adds a month of storage."""
    hours = None
    if step_seconds is not None:
        hours = stated(step_seconds * work.steps.total / SECONDS_PER_HOUR)
    return Bill(hours, tuple(_lines(work, prices, hours, stores=stores)))


def _lines(
    work: Workload, prices: PriceList, hours: Quantity | None, *, stores: bool
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
    asked = ["--seconds-per-step S (a first job tells)"]
    asked += [] if line.missing is None else [line.missing.removeprefix("give ")]
    return MoneyLine(line.name, None, "hours x price", "give " + " and ".join(asked))


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
