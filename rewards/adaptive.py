"""A reward that adjusts itself: form counts at first and fades as the policy masters it.

Accuracy is 1 where the last number in the last 300 characters is the reference's, marker or not.
Format is 1 where `####` occurs once and starts the last line, with a number behind it.
Score = (1 - w) x accuracy + w x format, where w = start x (1 - rate / mastered), at least 0; rate
is a running mean of format over the samples this container has graded, each new one weighing 1 /
memory. The environment variables ADAPTIVE_START (0.3), ADAPTIVE_MASTERED (0.9) and ADAPTIVE_MEMORY
(64 samples) set the three numbers.
Full score 1.0, at any time: right and in form. No score: wrong and out of form.
A right answer out of form earns 1 - w, a wrong one in form w: 0.7 and 0.3 at first, 1.0 and 0.0
once format is mastered.
Floor 0.37 on the rows of its tests, the most that a script earns which sees only the prompts,
as long as no format is mastered: 0.3 for the form of any guess, and what the guess is worth.

State, and what it costs. The running mean lives in the warm container's globals; it moves once an
event, after the event was graded, so order inside an event changes nothing, but how samples are
spread over events does. Every container keeps its own mean: with several, equal answers earn
different scores at the same step, and groups that are split over containers get advantages from
that difference. A cold start begins again at `start`, so weights jump back whenever the service
scales up or deploys anew. A retried event is counted twice. Validation moves the mean, too.
The same answers therefore earn other scores when graded again: a deterministic audit will flag
this, rightly, unless told to waive it. Where that matters keep one container (reserved concurrency
1), or compute the weights outside, per step, and send them along with the data.

The reference may sit in `metadata` or at the root of a sample, under `reference_answer` or
`ground_truth`, as a solution ending in `#### n`, a number, or an object that holds either under
`final_answer`, `answer`, `text` or `ground_truth`. A sample without a readable reference raises:
a silent 0 would train on noise.

In `metrics_list`: accuracy (Reward) and format (Reward), unweighted; format_weight (Metric) is w,
and format_rate (Metric) the running mean, both as they stood when the event came in.

Sources: AWS Machine Learning Blog, "RFT on Amazon Bedrock: best practices" (add format reward,
iterate on weights); verl's `gsm8k` score (last number in the last 300 characters). The fading rule
is our own.
"""

from __future__ import annotations

import os
import re
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

CLIP_CHARS = 300
NUMBER_CHARS = 100
ASSISTANT_ROLES = ("assistant", "nova_assistant")
REFERENCE_KEYS = ("reference_answer", "ground_truth")
ANSWER_KEYS = ("final_answer", "answer", "text", "ground_truth")
MARKER = "####"

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


class Settings(NamedTuple):
    """What the environment decides."""

    start: float
    mastered: float
    memory: float


class State:
    """What one warm container remembers."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget, as a cold start does."""
        self.format_rate = 0.0

    def format_weight(self, settings: Settings) -> float:
        """How much form counts now."""
        return settings.start * max(0.0, 1.0 - self.format_rate / settings.mastered)

    def learn(self, formats: list[float], *, memory: float) -> None:
        """Move the running mean by the samples of one event."""
        for earned in formats:
            self.format_rate += (earned - self.format_rate) / memory


STATE = State()


def lambda_handler(event: list[dict[str, Any]], context: object) -> list[dict[str, Any]]:
    """Grade a list of samples; the results carry the samples' ids."""
    del context
    if not isinstance(event, list):
        raise TypeError(f"expected a list of samples, found {type(event).__name__}")
    settings = read_settings()
    weight, rate = STATE.format_weight(settings), STATE.format_rate
    results = [grade(sample, weight=weight, rate=rate) for sample in event]
    STATE.learn([parts_of(result)["format"] for result in results], memory=settings.memory)
    return results


def read_settings() -> Settings:
    """Start, mastered and memory from the environment."""
    memory = setting("ADAPTIVE_MEMORY", "64", at_most=1e6)
    if memory < 1:
        raise ValueError(f"ADAPTIVE_MEMORY is {memory:g}, expected 1 or more samples")
    return Settings(
        start=setting("ADAPTIVE_START", "0.3", at_most=1),
        mastered=setting("ADAPTIVE_MASTERED", "0.9", at_most=1),
        memory=memory,
    )


def setting(name: str, default: str, *, at_most: float) -> float:
    """A positive number from the environment."""
    text = os.environ.get(name, default)
    number = float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text, re.ASCII) else 0.0
    if not 0 < number <= at_most:
        raise ValueError(f"{name} is {text!r}, expected a number above 0, at most {at_most:g}")
    return number


def parts_of(result: dict[str, Any]) -> dict[str, float]:
    """The components of a result by name."""
    return {part["name"]: part["value"] for part in result["metrics_list"]}


def grade(sample: dict[str, Any], *, weight: float, rate: float) -> dict[str, Any]:
    """One sample in, one result out."""
    sample_id = sample["id"]
    try:
        reference = read_reference(find_reference(sample))
        text = last_answer(sample["messages"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"sample {sample_id!r}: {error}") from error
    accuracy = float(read_answer(text) == reference)
    form = float(is_in_form(text))
    return {
        "id": sample_id,
        "aggregate_reward_score": accuracy + weight * (form - accuracy),
        "metrics_list": [
            {"name": "accuracy", "value": accuracy, "type": "Reward"},
            {"name": "format", "value": form, "type": "Reward"},
            {"name": "format_weight", "value": weight, "type": "Metric"},
            {"name": "format_rate", "value": rate, "type": "Metric"},
        ],
    }


def is_in_form(text: str) -> bool:
    """One marker, at the start of the last line, with a number behind it."""
    last_line = text.rstrip().rpartition("\n")[2]
    return text.count(MARKER) == 1 and MARKED.match(last_line[:NUMBER_CHARS]) is not None


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
    """The last number of an answer, or None where there is none."""
    matches = NUMBER.findall(text[-CLIP_CHARS:])
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
