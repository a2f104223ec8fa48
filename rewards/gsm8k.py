"""Grade school maths: 1.0 when the answer's final number is the reference's, else 0.0.

Full score: the last `#### n` in the last 300 characters of the answer names the reference number.
No score: no such marker, or another number behind it. There is no partial credit.
With the environment variable GSM8K_METHOD=flexible the last number in those characters counts,
marker or not.
A box, `\\boxed{n}`, states a number as a marker does if GSM8K_BOXED is on; unset, it is on in the
flexible reading and off in the strict one. The last of markers and boxes counts, and if that is a
box, the flexible reading looks at no number after it.
Floor 0.17 on the rows of its tests, the most that a script earns which sees only the prompts:
their problems take a step or two. On 600 rows of GSM8K it is 0.03 to 0.04.

Numbers are compared by value: `1,000`, LaTeX's `1{,}000`, `$1000`, `1000.`, `1000.0`, `+1000` and
`2000/2` are one number; `%` is dropped (`50%` is 50, not 0.5), a minus sign may be the Unicode one.
A number stands directly behind the marker, its sign directly before it, and what follows does not
matter (`#### 72 apples`, also `#### 48 + 24`). A space ends it: `1 000` is 1, or 0 as the last
number. Only the digits 0-9 count, and a point is always the decimal one. Times, dates with slashes,
versions, exponents, powers, `1'000` and `1½` are no numbers, rather than a part of themselves.

The reference may sit in `metadata` or at the root of a sample, under `reference_answer` or
`ground_truth`, as a solution ending in `#### n`, a number, or an object that holds either under
`final_answer`, `answer`, `text` or `ground_truth`. A sample without a readable reference raises:
a silent 0 would train on noise.

In `metrics_list`: accuracy (Reward) is the score; answer_found (Metric) is 0 where the answer
could not be read at all, so that wrong answers and unreadable ones can be told apart.

Sources: verl's `gsm8k` score (last 300 characters, last match, the two readings); openai
grade-school-math (commas removed); Amazon Bedrock user guide, reward-functions (event and reply).
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
METHODS = ("strict", "flexible")

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
STATED = re.compile(rf"(?:####[ \t]*|(\\boxed\{{)[ \t]*\\?)({_NUMBER})")
MINUS_SIGNS = "-\u2212\u2013"


def lambda_handler(event: list[dict[str, Any]], context: object) -> list[dict[str, Any]]:
    """Grade a list of samples; the results carry the samples' ids."""
    del context
    if not isinstance(event, list):
        raise TypeError(f"expected a list of samples, found {type(event).__name__}")
    method = choice("GSM8K_METHOD", "strict", METHODS)
    boxed = choice("GSM8K_BOXED", "on" if method == "flexible" else "off", ("on", "off"))
    return [grade(sample, method=method, boxed=boxed == "on") for sample in event]


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """A setting of the environment that has few values."""
    value = os.environ.get(name, default)
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}, expected {' or '.join(allowed)}")
    return value


def grade(sample: dict[str, Any], *, method: str = "strict", boxed: bool = False) -> dict[str, Any]:
    """One sample in, one result out."""
    sample_id = sample["id"]
    try:
        reference = read_reference(find_reference(sample))
        answer = read_answer(last_answer(sample["messages"]), method=method, boxed=boxed)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"sample {sample_id!r}: {error}") from error
    score = 1.0 if answer == reference else 0.0
    return {
        "id": sample_id,
        "aggregate_reward_score": score,
        "metrics_list": [
            {"name": "accuracy", "value": score, "type": "Reward"},
            {"name": "answer_found", "value": float(answer is not None), "type": "Metric"},
        ],
    }


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


def read_answer(text: str, *, method: str = "strict", boxed: bool = False) -> Fraction | None:
    """The number an answer ends in, or None where there is none to read."""
    end = text[-CLIP_CHARS:]
    stated = [(box, number) for box, number in STATED.findall(end) if boxed or not box]
    box, number = stated[-1] if stated else ("", "")
    if method == "flexible" and not box:
        number = next(reversed(NUMBER.findall(end)), "")
    return to_number(number)


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
