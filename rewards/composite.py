"""Several judgements in one score: a weighted sum of components, behind gates.

Components, each from 0 to 1:
- accuracy: the last `#### n` in the last 300 characters names the reference number;
- format: `####` occurs once and starts the last line;
- brevity: 1 up to 1000 characters, falling linearly to 0 at 2000.
Gates, which make the whole score 0 where they do not hold:
- readable: a number can be read behind a marker at all;
- accurate: that number is the reference's.

Score = sum of weight x component over the sum of weights. The environment variable
COMPOSITE_WEIGHTS holds the weights as JSON, {"accuracy": 0.8, "format": 0.1, "brevity": 0.1} unless
set; COMPOSITE_GATES the gates by name, separated by commas, `readable` unless set, and may be
empty.
Full score 1.0: right, in form, and brief. No score: a closed gate, such as an unreadable answer.
A wrong answer in good form earns 0.2 as it stands, which some policies settle for:
COMPOSITE_GATES=readable,accurate takes that away.
Floor 0.30 on the rows of its tests, the most that a script earns which sees only the prompts:
0.2 for the form of any guess, and what the guess is worth.

To add a component or a gate of your own, write a function of an Answer and enter it in COMPONENTS
or GATES below.

The reference may sit in `metadata` or at the root of a sample, under `reference_answer` or
`ground_truth`, as a solution ending in `#### n`, a number, or an object that holds either under
`final_answer`, `answer`, `text` or `ground_truth`. A sample without a readable reference raises:
a silent 0 would train on noise.

In `metrics_list`: accuracy, format and brevity (Reward), unweighted and before the gates, so that
each can be followed by itself; gates_open (Metric) is 0 where a gate made the score 0.

Sources: AWS Machine Learning Blog, "RFT on Amazon Bedrock: best practices" (combine several
rewards, add format); AWS Machine Learning Blog on reward Lambdas (several dimensions in one score);
verl's `gsm8k` score.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

CLIP_CHARS = 300
NUMBER_CHARS = 100
ASSISTANT_ROLES = ("assistant", "nova_assistant")
REFERENCE_KEYS = ("reference_answer", "ground_truth")
ANSWER_KEYS = ("final_answer", "answer", "text", "ground_truth")
MARKER = "####"
BRIEF_CHARS = 1000
LONG_CHARS = 2000
DEFAULT_WEIGHTS = '{"accuracy": 0.8, "format": 0.1, "brevity": 0.1}'
DEFAULT_GATES = "readable"

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


class Answer(NamedTuple):
    """What components and gates judge."""

    text: str
    number: Fraction | None
    reference: Fraction


def lambda_handler(event: list[dict[str, Any]], context: object) -> list[dict[str, Any]]:
    """Grade a list of samples; the results carry the samples' ids."""
    del context
    if not isinstance(event, list):
        raise TypeError(f"expected a list of samples, found {type(event).__name__}")
    weights = read_weights(os.environ.get("COMPOSITE_WEIGHTS", DEFAULT_WEIGHTS))
    gates = read_gates(os.environ.get("COMPOSITE_GATES", DEFAULT_GATES))
    return [grade(sample, weights=weights, gates=gates) for sample in event]


def accuracy(answer: Answer) -> float:
    """The right number."""
    return float(answer.number == answer.reference)


def marker_form(answer: Answer) -> float:
    """One marker, at the start of the last line."""
    last_line = answer.text.rstrip().rpartition("\n")[2]
    return float(answer.text.count(MARKER) == 1 and last_line.startswith(MARKER))


def brevity(answer: Answer) -> float:
    """1 for a brief answer, 0 for a long one."""
    return max(0.0, min(1.0, (LONG_CHARS - len(answer.text)) / (LONG_CHARS - BRIEF_CHARS)))


def is_readable(answer: Answer) -> bool:
    """Whether there is a number to judge."""
    return answer.number is not None


def is_accurate(answer: Answer) -> bool:
    """Whether that number is right."""
    return answer.number == answer.reference


COMPONENTS: dict[str, Callable[[Answer], float]] = {
    "accuracy": accuracy,
    "format": marker_form,
    "brevity": brevity,
}
GATES: dict[str, Callable[[Answer], bool]] = {"readable": is_readable, "accurate": is_accurate}


def read_weights(text: str) -> dict[str, float]:
    """Weights by component; at least one above 0, none below."""
    try:
        weights = json.loads(text)
    except ValueError as error:
        raise ValueError(f"COMPOSITE_WEIGHTS is not JSON ({error}): {text[:80]!r}") from error
    is_sound = isinstance(weights, dict) and all(
        name in COMPONENTS and isinstance(weight, (int, float)) and 0 <= weight < math.inf
        for name, weight in weights.items()
    )
    if not is_sound or not sum(weights.values()) > 0:
        raise ValueError(
            f"COMPOSITE_WEIGHTS is {text[:80]!r}, expected an object with numbers from 0 up, "
            f"not all 0, under {', '.join(COMPONENTS)}"
        )
    return {name: float(weight) for name, weight in weights.items()}


def read_gates(text: str) -> list[str]:
    """Names of gates."""
    gates = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in gates if name not in GATES]
    if unknown:
        raise ValueError(f"COMPOSITE_GATES names {unknown}, expected some of {', '.join(GATES)}")
    return gates


def grade(sample: dict[str, Any], *, weights: dict[str, float], gates: list[str]) -> dict[str, Any]:
    """One sample in, one result out."""
    sample_id = sample["id"]
    try:
        reference = read_reference(find_reference(sample))
        text = last_answer(sample["messages"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"sample {sample_id!r}: {error}") from error
    answer = Answer(text, read_answer(text), reference)
    parts = {name: judge(answer) for name, judge in COMPONENTS.items()}
    is_open = all(GATES[name](answer) for name in gates)
    earned = sum(weight * parts[name] for name, weight in weights.items())
    score = earned / sum(weights.values()) if is_open else 0.0
    components = [{"name": n, "value": value, "type": "Reward"} for n, value in parts.items()]
    gate = {"name": "gates_open", "value": float(is_open), "type": "Metric"}
    return {
        "id": sample_id,
        "aggregate_reward_score": score,
        "metrics_list": [*components, gate],
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
