"""The price table, with what the user puts in its place."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bedrock_rft_sim.contract.prices import BILLED, PRICES, Price
from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe.reader import read_document
from bedrock_rft_sim.recipe.wording import did_you_mean

USER = "given by you"

PriceList = Mapping[str, Price]


def price_list(*, file: Path | None = None, stated: Sequence[str] = ()) -> PriceList:
    """Return the table; a YAML or JSON file of NAME: VALUE, then each NAME=VALUE, override it.

    Raises:
        RecipeError: a name that no line of the bill has, or a price that is no number of dollars.
    """
    prices = dict(PRICES)
    for name, value, where in (*_from_file(file), *map(_assignment, stated)):
        prices[name] = replace(
            _known(name, where),
            usd=_dollars(value, where),
            date=datetime.datetime.now(datetime.UTC).date().isoformat(),
            source=USER,
        )
    return prices


def _from_file(file: Path | None) -> list[tuple[str, object, str]]:
    if file is None:
        return []
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError("can't read the prices", where=str(file), found=str(error)) from error
    data = read_document(text, name=str(file)).data
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


def _known(name: str, where: str) -> Price:
    if name in BILLED:
        return PRICES[name]
    raise RecipeError(
        "a job has no such price",
        where=where,
        expected="one of " + ", ".join(BILLED),
        found=name,
        hint=did_you_mean(name, BILLED),
    )


def _dollars(value: object, where: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(value, int | float) and is_number and math.isfinite(value) and value >= 0:
        return float(value)
    raise RecipeError(
        "not a price", where=where, expected="US dollars, a number of at least 0", found=repr(value)
    )
