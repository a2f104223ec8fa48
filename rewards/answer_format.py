"""Form only: is the answer written so that a parser can read it? Whether it is right is not asked.

The environment variable ANSWER_FORMAT names the form, `marker` unless set:
- marker: `####` occurs once, starts the last line, and some text of at most 100 characters follows;
- boxed: `\\boxed{...}` occurs once and is not empty, and nothing but `$`, `.`, spaces and closing
  brackets follows it;
- think: `<think>...</think><answer>...</answer>`, each tag once and in this order, neither part
  empty, and nothing but white space between, before and after;
- json: the whole answer is one JSON object.

Full score 1.0: the form as described. Score 0.5: a parser would still find an answer, but the form
is broken elsewhere (several markers, text after the answer, text around the tags, JSON inside a
Markdown fence). No score: nothing a parser could read.

It reads no reference, so every sample needs only its messages. A policy can earn all of it without
solving anything: combine it with a reward for correctness (see composite and adaptive).
Floor 1.00 on the rows of its tests: a script earns everything that puts any number in the form.

In `metrics_list`: format (Reward) is the score; answer_readable (Metric) is 1 where a parser would
find an answer.

Sources: openai grade-school-math (the marker); DeepSeek-R1, arXiv 2501.12948, format reward (think
and answer tags); Amazon Bedrock console, RLVR template "format validation" (its text is not
published, so the rules are our own).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

ANSWER_CHARS = 100
ASSISTANT_ROLES = ("assistant", "nova_assistant")
MARKER = "####"
BOX = "\\boxed{"
TAGS = ("<think>", "</think>", "<answer>", "</answer>")
FENCE = "```"
EXACT, READABLE, UNREADABLE = 1.0, 0.5, 0.0


def lambda_handler(event: list[dict[str, Any]], context: object) -> list[dict[str, Any]]:
    """Grade a list of samples; the results carry the samples' ids."""
    del context
    if not isinstance(event, list):
        raise TypeError(f"expected a list of samples, found {type(event).__name__}")
    form = os.environ.get("ANSWER_FORMAT", "marker")
    if form not in FORMS:
        raise ValueError(f"ANSWER_FORMAT is {form!r}, expected one of {', '.join(FORMS)}")
    return [grade(sample, form=form) for sample in event]


def grade(sample: dict[str, Any], *, form: str = "marker") -> dict[str, Any]:
    """One sample in, one result out."""
    sample_id = sample["id"]
    try:
        text = last_answer(sample["messages"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"sample {sample_id!r}: {error}") from error
    score = FORMS[form](text)
    return {
        "id": sample_id,
        "aggregate_reward_score": score,
        "metrics_list": [
            {"name": "format", "value": score, "type": "Reward"},
            {"name": "answer_readable", "value": float(score > UNREADABLE), "type": "Metric"},
        ],
    }


def last_answer(messages: list[dict[str, Any]]) -> str:
    """The text of the assistant turn that ends the conversation."""
    if not messages or messages[-1].get("role") not in ASSISTANT_ROLES:
        raise ValueError(f"the last message is not one of {' or '.join(ASSISTANT_ROLES)}")
    content = messages[-1].get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return content or ""


def score_marker(text: str) -> float:
    """The form of GSM8K: `#### n` on the last line."""
    _, marker, behind = text.rpartition(MARKER)
    if not marker or not _says_something(behind.strip()[:ANSWER_CHARS].partition("\n")[0]):
        return UNREADABLE
    last_line = text.rstrip().rpartition("\n")[2]
    is_exact = (
        text.count("#") == len(MARKER)
        and last_line.startswith(MARKER)
        and len(last_line) <= len(MARKER) + ANSWER_CHARS
    )
    return EXACT if is_exact else READABLE


def score_boxed(text: str) -> float:
    """The form of competition maths: one box at the end."""
    _, box, behind = text.rpartition(BOX)
    inside, end = _balanced(behind)
    if not box or not _says_something(inside):
        return UNREADABLE
    is_last = not behind[end:].strip("$.)]} \t\r\n")
    return EXACT if is_last and text.count(BOX) == 1 else READABLE


def score_think(text: str) -> float:
    """Thought and answer, each in its tags."""
    opening, closing = TAGS[2:]
    behind = text.rpartition(opening)[2] if opening in text else ""
    answer, end, after = behind.partition(closing)
    if not end or not _says_something(answer):
        return UNREADABLE
    before, _, rest = text.partition(TAGS[0])
    thought, _, between = rest.partition(TAGS[1])
    is_exact = (
        all(text.count(tag) == 1 for tag in TAGS)
        and _says_something(thought)
        and not before.strip()
        and not between.partition(opening)[0].strip()
        and opening in between
        and not after.strip()
    )
    return EXACT if is_exact else READABLE


def score_json(text: str) -> float:
    """One JSON object and nothing else."""
    if _is_object(text):
        return EXACT
    parts = text.split(FENCE)
    fenced = parts[1].removeprefix("json") if len(parts) == 3 else ""  # noqa: PLR2004 - one fence
    return READABLE if _is_object(fenced) else UNREADABLE


FORMS: dict[str, Callable[[str], float]] = {
    "marker": score_marker,
    "boxed": score_boxed,
    "think": score_think,
    "json": score_json,
}


def _says_something(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _balanced(text: str) -> tuple[str, int]:
    """What stands before the brace that closes an open one, and where the text goes on."""
    depth = 1
    for index, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return text[:index], index + 1
    return "", len(text)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text, parse_constant=_refuse), dict)
    except (ValueError, RecursionError):
        return False


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
