"""Grade school maths with partial credit: the final number, else the arithmetic that leads to it.

Full score 1.0: the last `#### n` in the last 300 characters of the answer names the reference
number; the steps are not looked at.
Partial score, at most 0.8, for an answer whose final number is wrong or missing:
0.8 x matched / max(steps of the reference, steps of the answer).
A step is a calculator mark `<<a*b=c>>` or, where a text has no mark at all, `a * b = c` in its
prose. A step of the answer is matched when its arithmetic is true (to the decimals c is written
with) and c is the result of a step of the reference that no earlier step has matched.
No score: no number behind a marker and no matched step. Padding buys nothing: every distinct step
counts below the line, `24 + 0 = 24` and `24 * 1 = 24` match nothing, and an answer of more than 40
steps earns no partial credit. A reference without steps (a bare number) gives 1.0 or 0.0.

Numbers are read as in the gsm8k reward: `1,000`, `$1000` and `1000.0` are one number, and only the
digits 0-9 count. Steps know + - * / (also x, the signs of multiplication and division, and the
Unicode minus) and parentheses; nothing is ever given to `eval`, and powers are not understood.

The reference may sit in `metadata` or at the root of a sample, under `reference_answer` or
`ground_truth`, as a solution ending in `#### n`, a number, or an object with `final_answer`,
`answer`, `text` or `ground_truth` and, optionally, a list of `steps`. A sample without a readable
reference raises: a silent 0 would train on noise.

In `metrics_list`: accuracy (Reward) is 1 for the right final number; steps_matched (Reward) is
matched / max(...), from which partial credit comes; answer_found (Metric) is 0 where no final
number could be read; steps_true (Metric) is the share of the answer's steps whose arithmetic is
true, left out where it has none.

Sources: AWS Machine Learning Blog, "RFT on Amazon Bedrock: best practices" (1.0 correct, partial
credit for reasoning up to 0.8); openai grade-school-math (calculator marks); verl's `gsm8k` score.
"""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

CLIP_CHARS = 300
NUMBER_CHARS = 100
PARTIAL_CREDIT = Fraction(8, 10)
MAX_STEPS = 40
EXPRESSION_CHARS = 120
ASSISTANT_ROLES = ("assistant", "nova_assistant")
REFERENCE_KEYS = ("reference_answer", "ground_truth")
ANSWER_KEYS = ("final_answer", "answer", "text", "ground_truth")

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

# Both classes exclude what ends them, so that reading is linear in the length of the answer.
MARK = re.compile(rf"<<([^<>=]{{1,{EXPRESSION_CHARS}}})=([^<>=]{{1,{NUMBER_CHARS}}})>>")
PROSE_SIDE = re.compile(r"[0-9.,$()+\-*/x\u00d7\u00f7\u00b7\u2212 ]+")
TOKEN = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+|[-+*/()]")
TRANSLATION = str.maketrans(
    {"x": "*", "×": "*", "·": "*", "÷": "/", "\u2212": "-"} | dict.fromkeys("$, ")
)
PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2}


class Step(NamedTuple):
    """One line of arithmetic as it was written: `48/2 = 24`."""

    expression: str
    """Left side, operators translated, without spaces, commas and `$`."""
    result: Fraction
    decimals: int
    """Digits behind the point of the written result."""


def lambda_handler(event: list[dict[str, Any]], context: object) -> list[dict[str, Any]]:
    """Grade a list of samples; the results carry the samples' ids."""
    del context
    if not isinstance(event, list):
        raise TypeError(f"expected a list of samples, found {type(event).__name__}")
    return [grade(sample) for sample in event]


def grade(sample: dict[str, Any]) -> dict[str, Any]:
    """One sample in, one result out."""
    sample_id = sample["id"]
    try:
        found = find_reference(sample)
        reference = read_reference(found)
        text = last_answer(sample["messages"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"sample {sample_id!r}: {error}") from error
    answer = read_answer(text)
    steps = read_steps(text)
    is_right = answer == reference
    true = [step for step in steps if checks_out(step)]
    matched = share_matched(true, read_steps(solution_of(found)), count=len(steps))
    metrics = [
        {"name": "accuracy", "value": float(is_right), "type": "Reward"},
        {"name": "steps_matched", "value": float(matched), "type": "Reward"},
        {"name": "answer_found", "value": float(answer is not None), "type": "Metric"},
    ]
    if steps:
        share_true = len(true) / len(steps)
        metrics.append({"name": "steps_true", "value": share_true, "type": "Metric"})
    score = 1.0 if is_right else float(PARTIAL_CREDIT * matched)
    return {"id": sample_id, "aggregate_reward_score": score, "metrics_list": metrics}


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


def solution_of(reference: object) -> str:
    """The text in which a reference shows its steps; empty where it holds none."""
    if isinstance(reference, dict):
        steps = reference.get("steps")
        lines = steps if isinstance(steps, list) else [steps]
        texts = [reference.get(key) for key in ANSWER_KEYS]
        return "\n".join(part for part in [*lines, *texts] if isinstance(part, str))
    return reference if isinstance(reference, str) else ""


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


@lru_cache(maxsize=256)  # the samples of one prompt share a reference
def read_steps(text: str) -> tuple[Step, ...]:
    """The distinct steps of a text: its calculator marks, else the arithmetic in its prose."""
    sides = MARK.findall(text) if "<<" in text else []
    found = (_step(left, right) for left, right in sides or _prose_sides(text))
    return tuple(dict.fromkeys(step for step in found if step is not None))


def _prose_sides(text: str) -> list[tuple[str, str]]:
    """What stands directly left and right of each equals sign, as far as it looks like a sum."""
    pieces = text.split("=")
    sides = []
    for left, right in pairwise(pieces):
        line_end = left[-EXPRESSION_CHARS:].splitlines()[-1:] or [""]
        before = PROSE_SIDE.findall(line_end[0])
        number = NUMBER.match(right[:NUMBER_CHARS].lstrip(" \t"))
        if before and number and line_end[0].endswith(before[-1]):
            sides.append((before[-1].lstrip(" x.,+*/"), number.group()))
    return sides


def _step(left: str, right: str) -> Step | None:
    expression = left.translate(TRANSLATION)
    result = to_number(right.replace(" ", ""))
    if result is None or not any(sign in expression[1:] for sign in PRECEDENCE):
        return None
    point = re.search(r"\.([0-9]*)", right)
    return Step(expression, result, len(point.group(1)) if point else 0)


def checks_out(step: Step) -> bool:
    """Whether the left side comes to the right side, rounded as the right side is written."""
    value = evaluate(step.expression)
    if value is None or value == step.result:
        return value is not None
    return step.decimals > 0 and abs(value - step.result) * 2 * 10**step.decimals <= 1


def share_matched(true: list[Step], reference: tuple[Step, ...], *, count: int) -> Fraction:
    """Matched steps over the longer of the two lists, between 0 and 1.

    `true` are the answer's steps that check out, `count` is the number of all its steps.
    """
    if not reference or not true or count > MAX_STEPS:
        return Fraction(0)
    wanted = Counter(step.result for step in reference)
    matched = 0
    for step in true:
        if wanted[step.result] > 0 and not _is_idle(step):
            wanted[step.result] -= 1
            matched += 1
    return Fraction(matched, max(count, len(reference)))


def _is_idle(step: Step) -> bool:
    """Whether the result already stands on the left, as in `24 + 0 = 24`."""
    operands = (operand for operand in TOKEN.findall(step.expression) if operand not in "+-*/()")
    return any(_value(operand) == step.result for operand in operands)


@lru_cache(maxsize=4096)  # small numbers come again and again
def _value(operand: str) -> Fraction:
    return Fraction(operand.rstrip("."))


@lru_cache(maxsize=4096)  # the samples of one prompt share most of their steps
def evaluate(expression: str) -> Fraction | None:
    """The value of sums of numbers with + - * / and parentheses; None for anything else.

    Two stacks, no recursion: values, and operators that wait for their right side.
    """
    parts = TOKEN.findall(expression[:EXPRESSION_CHARS])
    if "".join(parts) != expression:
        return None
    values: list[Fraction] = []
    waiting: list[str] = []
    is_operand_next = True
    try:
        for part in parts:
            if part in PRECEDENCE:
                if is_operand_next:
                    if part != "-" or (waiting and waiting[-1] != "("):
                        return None
                    values.append(Fraction(0))  # -4 is 0 - 4
                _apply(values, waiting, down_to=PRECEDENCE[part])
                waiting.append(part)
                is_operand_next = True
            elif part == "(" and is_operand_next:
                waiting.append(part)
            elif part == ")" and not is_operand_next:
                _apply(values, waiting, down_to=0)
                if not waiting:
                    return None
                waiting.pop()
            elif part not in "()" and is_operand_next:
                values.append(_value(part))
                is_operand_next = False
            else:
                return None
        _apply(values, waiting, down_to=0)
    except (ZeroDivisionError, IndexError):
        return None
    return values[0] if len(values) == 1 and not waiting else None


def _apply(values: list[Fraction], waiting: list[str], *, down_to: int) -> None:
    """Work off the waiting operators that bind at least as tightly."""
    while waiting and waiting[-1] != "(" and PRECEDENCE[waiting[-1]] >= down_to:
        sign = waiting.pop()
        right, left = values.pop(), values.pop()
        if sign == "+":
            values.append(left + right)
        elif sign == "-":
            values.append(left - right)
        elif sign == "*":
            values.append(left * right)
        else:
            values.append(left / right)
