"""Financial figures: is the stated number the reference's, exactly, nearly, or after a repair?

The answer is what stands behind the last `ANSWER:` (any case) or `####`, up to the end of its line
and 100 characters at most: one number and nothing else but brackets, `*`, a currency sign, a unit
of up to 30 letters behind it, and a final full stop. A line with two numbers is not read, so that
listing candidates earns nothing.

Full score 1.0: the reference's value, or a value that rounds to it where the reference is written
with decimals (`5.34%` for `5.3%`). `%`, percent, thousand, k, million, mn, billion, bn and trillion
belong to the value: `5%` is 0.05 and `1.2 million` is 1,200,000.
Score 0.95: within the relative tolerance, 0.01 unless the environment variable NUMERIC_TOLERANCE
says otherwise (0 to 0.5); or exact or within tolerance after a repair: where one of the two is
written with a unit (`%`, million, ...) and the other without, it is lent the other's (`5` for `5%`,
`1.2` for `1.2 million`). NUMERIC_REPAIR=off forbids that.
A reference yes or no is compared as a word: 1.0 or nothing.
No score: no such line, another number, Unicode digits, `nan`, `inf`, powers.
Floor 0.08 on the rows of its tests, the most that a script earns which sees only the prompts:
numbers of the prompt combined and guessed, or yes to everything.

The reference may sit in `metadata` or at the root of a sample, under `reference_answer` or
`ground_truth`, as a number, a text (the part behind its last marker if it has one) or an object
that holds either under `answer`, `final_answer`, `text` or `ground_truth`. A sample without a
readable reference raises: a silent 0 would train on noise.

In `metrics_list`: accuracy (Reward) is the score; answer_found (Metric) is 0 where nothing could be
read; repaired (Metric) is 1 where a unit had to be lent; relative_error (Metric), at most 1000, is
left out where there is none to give.

Sources: aws-samples/amazon-bedrock-samples, FinQA reward (ANSWER:, 1.0 / 0.95, percent repair,
yes and no). Differs on purpose: the sample also accepts an absolute error of 0.1 to 0.9, which is
most of a small number, and tries a factor of 100 where nobody wrote a percent sign.
"""

from __future__ import annotations

import os
import re
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

ANSWER_CHARS = 100
ASSISTANT_ROLES = ("assistant", "nova_assistant")
REFERENCE_KEYS = ("reference_answer", "ground_truth")
ANSWER_KEYS = ("answer", "final_answer", "text", "ground_truth")
WORDS = ("yes", "no")
EXACT, NEAR, WRONG = 1.0, 0.95, 0.0
LARGEST_ERROR = Fraction(1000)

MARKER = re.compile(r"answer:|####", re.IGNORECASE | re.ASCII)
QUANTITY = re.compile(
    r"(?P<sign>[-+\u2212\u2013]?)[$\u20ac\u00a3]?(?P<sign_behind>[-\u2212\u2013]?)"
    r"(?P<digits>[0-9][0-9,]{0,40}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(?:e(?P<exponent>[-+]?[0-9]{1,2}))?"
    r"[ ]?(?P<unit>%|percent|pct|thousand|k|million|mn|billion|bn|trillion)?(?![a-z])"
    r"[a-z$\u20ac\u00a3 ]{0,30}",
    re.IGNORECASE | re.ASCII,
)
UNITS = {
    "%": Fraction(1, 100),
    "percent": Fraction(1, 100),
    "pct": Fraction(1, 100),
    "thousand": Fraction(10**3),
    "k": Fraction(10**3),
    "million": Fraction(10**6),
    "mn": Fraction(10**6),
    "billion": Fraction(10**9),
    "bn": Fraction(10**9),
    "trillion": Fraction(10**12),
}


class Quantity(NamedTuple):
    """A number as it was written."""

    number: Fraction
    """Without its unit: 5 for `5%`."""
    unit: Fraction | None
    """The factor of `%`, million and so on; None where none was written."""
    decimals: int

    @property
    def value(self) -> Fraction:
        """With its unit: 0.05 for `5%`."""
        return self.number * (self.unit or 1)


class Settings(NamedTuple):
    """What the environment decides."""

    tolerance: Fraction
    repair: bool


class Verdict(NamedTuple):
    """How an answer compares with the reference."""

    score: float
    repaired: bool = False
    error: Fraction | None = None
    """Relative to the reference."""


def lambda_handler(event: list[dict[str, Any]], context: object) -> list[dict[str, Any]]:
    """Grade a list of samples; the results carry the samples' ids."""
    del context
    if not isinstance(event, list):
        raise TypeError(f"expected a list of samples, found {type(event).__name__}")
    settings = read_settings()
    return [grade(sample, settings=settings) for sample in event]


def read_settings() -> Settings:
    """The tolerance and whether units are repaired, from the environment."""
    text = os.environ.get("NUMERIC_TOLERANCE", "0.01")
    quantity = QUANTITY.fullmatch(text)
    tolerance = _quantity(quantity).value if quantity else None
    if tolerance is None or not 0 <= tolerance <= Fraction(1, 2):
        raise ValueError(f"NUMERIC_TOLERANCE is {text!r}, expected a number from 0 to 0.5")
    repair = os.environ.get("NUMERIC_REPAIR", "on")
    if repair not in ("on", "off"):
        raise ValueError(f"NUMERIC_REPAIR is {repair!r}, expected on or off")
    return Settings(tolerance, repair == "on")


def grade(sample: dict[str, Any], *, settings: Settings) -> dict[str, Any]:
    """One sample in, one result out."""
    sample_id = sample["id"]
    try:
        reference = read_reference(find_reference(sample))
        answer = read_answer(last_answer(sample["messages"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"sample {sample_id!r}: {error}") from error
    verdict = compare(answer, reference, settings=settings)
    metrics = [
        {"name": "accuracy", "value": verdict.score, "type": "Reward"},
        {"name": "answer_found", "value": float(answer is not None), "type": "Metric"},
        {"name": "repaired", "value": float(verdict.repaired), "type": "Metric"},
    ]
    if verdict.error is not None:
        error_shown = float(min(verdict.error, LARGEST_ERROR))
        metrics.append({"name": "relative_error", "value": error_shown, "type": "Metric"})
    return {"id": sample_id, "aggregate_reward_score": verdict.score, "metrics_list": metrics}


def find_reference(sample: dict[str, Any]) -> object:
    """The reference as it was sent, from whichever place the payload holds it."""
    metadata = sample.get("metadata")
    places = [metadata if isinstance(metadata, dict) else {}, sample]
    for key in REFERENCE_KEYS:
        for place in places:
            if place.get(key) is not None:
                found: object = place[key]
                return found
    raise ValueError(
        f"no reference: expected {' or '.join(REFERENCE_KEYS)} in metadata or at the root, "
        f"found the keys {sorted(map(str, {*places[0], *sample}))}"
    )


def read_reference(reference: object) -> Quantity | str:
    """The quantity, or the word yes or no, that a reference stands for."""
    if isinstance(reference, dict):
        inner = next((reference[k] for k in ANSWER_KEYS if reference.get(k) is not None), None)
        if inner is not None and not isinstance(inner, dict):
            return read_reference(inner)
    elif isinstance(reference, (str, int, float)) and not isinstance(reference, bool):
        text = str(reference)
        found = read_answer(text) if MARKER.search(text) else read_statement(text)
        if found is not None:
            return found
    raise ValueError(
        f"unreadable reference {str(reference)[:80]!r}: expected a number with or without a unit, "
        f"yes, no, or an object holding one under {', '.join(ANSWER_KEYS)}"
    )


def last_answer(messages: list[dict[str, Any]]) -> str:
    """The text of the assistant turn that ends the conversation."""
    if not messages or messages[-1].get("role") not in ASSISTANT_ROLES:
        raise ValueError(f"the last message is not one of {' or '.join(ASSISTANT_ROLES)}")
    content = messages[-1].get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return content or ""


def read_answer(text: str) -> Quantity | str | None:
    """What stands behind the last marker of an answer, or None where it is not one number."""
    end = next((match.end() for match in _backwards(text)), None)
    if end is None:
        return None
    line = text[end:].lstrip()[: ANSWER_CHARS + 1].partition("\n")[0]
    return read_statement(line) if len(line) <= ANSWER_CHARS else None


def _backwards(text: str) -> list[re.Match[str]]:
    return list(MARKER.finditer(text))[-1:]


@lru_cache(maxsize=4096)  # the samples of one prompt share a reference and mostly an answer
def read_statement(text: str) -> Quantity | str | None:
    """One number with its unit, or the word yes or no; None for anything else."""
    statement = text.strip().rstrip(".").strip("[](){}* \t").rstrip(".")
    if statement.lower() in WORDS:
        return statement.lower()
    quantity = QUANTITY.fullmatch(statement)
    return _quantity(quantity) if quantity else None


def _quantity(match: re.Match[str]) -> Quantity:
    digits = match["digits"].replace(",", "").rstrip(".")
    number = Fraction(f"{digits}e{match['exponent'] or 0}")
    signs = match["sign"] + match["sign_behind"]
    is_negative = len(signs.replace("+", "")) % 2 == 1
    unit = UNITS[match["unit"].lower()] if match["unit"] else None
    return Quantity(-number if is_negative else number, unit, len(digits.partition(".")[2]))


def compare(
    answer: Quantity | str | None, reference: Quantity | str, *, settings: Settings
) -> Verdict:
    """The best reading of the answer, unrepaired before repaired."""
    if not isinstance(answer, Quantity) or not isinstance(reference, Quantity):
        return Verdict(EXACT if answer == reference else WRONG)
    as_written = _score(answer.value, reference, settings.tolerance)
    error = _relative_error(answer.value, reference)
    if as_written > WRONG or not settings.repair:
        return Verdict(as_written, error=error)
    lent = _lent_unit(answer, reference)
    if lent is None or _score(lent, reference, settings.tolerance) == WRONG:
        return Verdict(WRONG, error=error)
    return Verdict(NEAR, repaired=True, error=_relative_error(lent, reference))


def _lent_unit(answer: Quantity, reference: Quantity) -> Fraction | None:
    """The answer's value if the one without a unit had the other's; None where both agree."""
    if (answer.unit is None) == (reference.unit is None):
        return None
    return answer.number * (reference.unit or 1)


def _score(value: Fraction, reference: Quantity, tolerance: Fraction) -> float:
    difference = abs(value - reference.value)
    last_place = (reference.unit or 1) / Fraction(10**reference.decimals)
    if difference == 0 or (reference.decimals > 0 and difference * 2 <= last_place):
        return EXACT
    return NEAR if difference <= tolerance * abs(reference.value) else WRONG


def _relative_error(value: Fraction, reference: Quantity) -> Fraction | None:
    if reference.value == 0:
        return None
    return abs(value - reference.value) / abs(reference.value)
