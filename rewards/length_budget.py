"""Overlong shaping: a right final number, minus a penalty that grows as the answer gets too long.

Correctness is that of the gsm8k reward: 1 where the last `#### n` in the last 300 characters names
the reference number, else 0. The penalty is DAPO's soft overlong punishment over the answer's
length: 0 up to budget - buffer, falling linearly to -1 at the budget, and -1 beyond it.
Score = correctness + penalty, but never below 0 (DAPO alone would go down to -1).
Full score 1.0: a right answer no longer than budget - buffer; inside the buffer a part of it.
No score: a wrong answer, or one longer than the budget.
Floor 0.17 on the rows of its tests, the most that a script earns which sees only the prompts:
numbers of the prompt combined and guessed.

Lambda has no tokenizer, so length is counted in characters, white space included; about four make
a token of English. LENGTH_BUDGET_CHARS is the budget (2000 unless set), LENGTH_BUDGET_BUFFER the
buffer at its end (500). Set the budget below what inferenceMaxTokens can hold: an answer that was
cut off has lost its final number anyway.

The reference may sit in `metadata` or at the root of a sample, under `reference_answer` or
`ground_truth`, as a solution ending in `#### n`, a number, or an object that holds either under
`final_answer`, `answer`, `text` or `ground_truth`. A sample without a readable reference raises:
a silent 0 would train on noise.

In `metrics_list`: accuracy (Reward) is correctness; length_penalty (Reward) is the penalty, from -1
to 0; answer_found (Metric) is 0 where no final number could be read; length_chars (Metric) is the
answer's length.

Sources: DAPO, arXiv 2503.14476, equation 13 (soft overlong punishment); AWS Machine Learning Blog,
"RFT on Amazon Bedrock: best practices" (a length penalty against reward hacking); verl's `gsm8k`
score.
"""

from __future__ import annotations

import os
import re
from fractions import Fraction
from functools import lru_cache
from typing import Any

CLIP_CHARS = 300
NUMBER_CHARS = 100
ASSISTANT_ROLES = ("assistant", "nova_assistant")
REFERENCE_KEYS = ("reference_answer", "ground_truth")
ANSWER_KEYS = ("final_answer", "answer", "text", "ground_truth")
MOST_CHARS = 10_000_000

# What joins digits to something else than a number: 3.1.4, 9:30, 12/25/2024, 1'000, 1e3, 2**3, 1½.
_JOINT = r"[./:'_\u2019\u00a0\u2009\u202f]"
# A sign counts only where it does not stand between two operands: "5-3" ends in 3, not in -3.
_NUMBER = (
    r"(?:(?<![\w)\]])[-+\u2212\u2013])?(?:\$[-\u2212\u2013]?)?"
    rf"(?<!\d)(?<!\d{_JOINT})(?<!\d[eE^])(?<!\d[eE^][-+])(?<!\d\*\*)"
    r"(?:[0-9](?:[0-9,]|\{,\}|\\,[0-9])*(?:\.[0-9]*)?|\.[0-9]+)"
    r"(?:/[0-9][0-9,]*)?"
    rf"(?!{_JOINT}?\d|[eE^][-+]?\d|\*\*\d|[\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u2079])%?"
)
NUMBER = re.compile(_NUMBER)
MARKED = re.compile(rf"####[ \t]*({_NUMBER})")
MINUS_SIGNS = "-\u2212\u2013"


def lambda_handler(event: list[dict[str, Any]], context: object) -> list[dict[str, Any]]:
    """Grade a list of samples; the results carry the samples' ids."""
    del context
    if not isinstance(event, list):
        raise TypeError(f"expected a list of samples, found {type(event).__name__}")
    budget = setting("LENGTH_BUDGET_CHARS", "2000", at_most=MOST_CHARS)
    buffer = setting("LENGTH_BUDGET_BUFFER", str(min(500, int(budget))), at_most=budget)
    return [grade(sample, budget=budget, buffer=buffer) for sample in event]


def setting(name: str, default: str, *, at_most: float) -> float:
    """A positive number from the environment."""
    text = os.environ.get(name, default)
    number = float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text, re.ASCII) else 0.0
    if not 0 < number <= at_most:
        raise ValueError(f"{name} is {text!r}, expected a number above 0, at most {at_most:g}")
    return number


def grade(sample: dict[str, Any], *, budget: float, buffer: float) -> dict[str, Any]:
    """One sample in, one result out."""
    sample_id = sample["id"]
    try:
        reference = read_reference(find_reference(sample))
        text = last_answer(sample["messages"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"sample {sample_id!r}: {error}") from error
    answer = read_answer(text)
    accuracy = float(answer == reference)
    penalty = overlong(len(text), budget=budget, buffer=buffer)
    return {
        "id": sample_id,
        "aggregate_reward_score": max(0.0, accuracy + penalty),
        "metrics_list": [
            {"name": "accuracy", "value": accuracy, "type": "Reward"},
            {"name": "length_penalty", "value": penalty, "type": "Reward"},
            {"name": "answer_found", "value": float(answer is not None), "type": "Metric"},
            {"name": "length_chars", "value": float(len(text)), "type": "Metric"},
        ],
    }


def overlong(length: int, *, budget: float, buffer: float) -> float:
    """DAPO's soft overlong punishment: 0, then a line down, then -1."""
    return max(-1.0, min(0.0, (budget - buffer - length) / buffer))


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


def read_reference(reference: object) -> Fraction:
    """The number that a reference of any known shape stands for."""
    if isinstance(reference, dict):
        inner = next((reference[k] for k in ANSWER_KEYS if reference.get(k) is not None), None)
        if inner is not None and not isinstance(inner, dict):
            return read_reference(inner)
    elif isinstance(reference, (str, int, float)) and not isinstance(reference, bool):
        text = str(reference).strip()
        marked = MARKED.findall(text)
        number = to_number(marked[-1] if marked else text)
        if number is not None:
            return number
    raise ValueError(
        f"unreadable reference {str(reference)[:80]!r}: expected a number, a solution that ends "
        f"in '#### n', or an object holding one under {', '.join(ANSWER_KEYS)}"
    )


def last_answer(messages: list[dict[str, Any]]) -> str:
    """The text of the assistant turn that ends the conversation."""
    if not messages or messages[-1].get("role") not in ASSISTANT_ROLES:
        raise ValueError(f"the last message is not one of {' or '.join(ASSISTANT_ROLES)}")
    content = messages[-1].get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return content or ""


def read_answer(text: str) -> Fraction | None:
    """The last marked number of an answer, or None where there is none."""
    matches = MARKED.findall(text[-CLIP_CHARS:])
    return to_number(matches[-1]) if matches else None


@lru_cache(maxsize=4096)  # the samples of one prompt share a reference and mostly an answer
def to_number(text: str) -> Fraction | None:
    """The value of a written number: signs, `$`, `%`, commas and trailing zeros do not matter."""
    token = text.strip()
    if len(token) > NUMBER_CHARS or not NUMBER.fullmatch(token):
        return None
    negative = sum(token.count(sign) for sign in MINUS_SIGNS) % 2 == 1
    numerator, _, denominator = re.sub(r"[^0-9./]", "", token).partition("/")
    divisor = int(denominator or 1)
    if divisor == 0:
        return None
    value = Fraction(numerator.rstrip(".")) / divisor
    return -value if negative else value
