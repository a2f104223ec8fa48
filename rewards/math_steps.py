"""Grade school maths with partial credit: the final number, else the arithmetic that leads to it.

Full score 1.0: the last `#### n` in the last 300 characters of the answer names the reference
number; the steps are not looked at. With the environment variable MATH_STEPS_METHOD=flexible the
last number in those characters counts, marker or not. A box, `\\boxed{n}`, is read as in the gsm8k
reward: in the flexible reading, unless MATH_STEPS_BOXED (on or off) says otherwise.
Partial score, at most 0.8, for an answer that states one final number, a wrong one:
0.8 x (right - 1) / (steps - 1) where more than half of the steps are right; `steps` is the number
of steps in the reference or in the answer, whichever is larger. The first right step pays nothing:
multiplying two numbers of the prompt gets it without solving anything.
A step is a calculator mark `<<a*b=c>>` or, where a text has no mark at all, `a * b = c` in its
prose; a chain `a = b = c` is one step, from its first sum to its last number. A step is right where
its left side comes to the result of a step of the reference (to the decimals written) that no
earlier step has met, and counts half where its own c is wrong, a slip. Errors are carried forward:
a later step that uses a wrong result is read as if it used the right one. That is the result of the
reference's step at the same place where both have equally many steps, else the left side's value.
No score: no final number; another one, with half of the steps right or fewer, or behind several
markers that disagree. Padding buys nothing: every distinct step counts in `steps`, `24 + 0 = 24`
and `24 * 1 = 24` are never right, and an answer of more than 40 steps earns no partial credit. A
reference of one step or none (a bare number) gives 1.0 or 0.0.
Floor 0.17 on the rows of its tests, the most that a script earns which sees only the prompts:
their problems take a step or two. On 600 rows of GSM8K it is 0.00 for equations that are listed or
chained, at most 0.03 with a guess behind the marker, and 0.04 for the most frequent number alone,
which is right that often; in the flexible reading a list ends in a guess.

Numbers are read as in the gsm8k reward: `1,000`, `$1000` and `1000.0` are one number, and only the
digits 0-9 count. Steps know + - * / (also x, the signs of multiplication and division, and the
Unicode minus) and parentheses; nothing is ever given to `eval`, and powers are not understood.

The reference may sit in `metadata` or at the root of a sample, under `reference_answer` or
`ground_truth`, as a solution ending in `#### n`, a number, or an object with `final_answer`,
`answer`, `text` or `ground_truth` and, optionally, a list of `steps`. A sample without a readable
reference raises: a silent 0 would train on noise.

In `metrics_list`: accuracy (Reward) is 1 for the right final number; steps_matched (Reward) is
right / steps, from which partial credit comes, and 0 where the answer states no final number or
several; answer_found (Metric) is 0 where no final number could be read; steps_true (Metric) is the
share of the answer's steps whose arithmetic is true, left out where it has none.

Sources: AWS Machine Learning Blog, "RFT on Amazon Bedrock: best practices" (1.0 correct, partial
credit for reasoning up to 0.8; an ideal answer that ends in a box); openai grade-school-math
(calculator marks); verl's `gsm8k` score. Carrying errors forward is how exams are marked.
"""

from __future__ import annotations

import os
import re
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

# Both classes exclude what ends them, so that reading is linear in the length of the answer.
MARK = re.compile(rf"<<([^<>=]{{1,{EXPRESSION_CHARS}}})=([^<>=]{{1,{NUMBER_CHARS}}})>>")
PROSE_SIDE = re.compile(r"[0-9.,$()+\-*/x\u00d7\u00f7\u00b7\u2212 ]+$")
_OPERAND = r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+"
OPERAND = re.compile(_OPERAND)
TOKEN = re.compile(rf"{_OPERAND}|[-+*/()]")
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
    method = choice("MATH_STEPS_METHOD", "strict", METHODS)
    boxed = choice("MATH_STEPS_BOXED", "on" if method == "flexible" else "off", ("on", "off"))
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
        found = find_reference(sample)
        reference = read_reference(found)
        text = last_answer(sample["messages"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"sample {sample_id!r}: {error}") from error
    answer = read_answer(text, method=method, boxed=boxed)
    steps, wanted = read_steps(text), read_steps(solution_of(found))
    count = max(len(steps), len(wanted))
    is_right = answer == reference
    counts = answer is not None and wanted and len(steps) <= MAX_STEPS
    right = count_right(steps, wanted) if counts and is_single(text, boxed=boxed) else Fraction(0)
    metrics = [
        {"name": "accuracy", "value": float(is_right), "type": "Reward"},
        {"name": "steps_matched", "value": float(right / max(count, 1)), "type": "Reward"},
        {"name": "answer_found", "value": float(answer is not None), "type": "Metric"},
    ]
    if steps:
        share_true = sum(checks_out(step) for step in steps) / len(steps)
        metrics.append({"name": "steps_true", "value": share_true, "type": "Metric"})
    score = 1.0 if is_right else partial_credit(right, count)
    return {"id": sample_id, "aggregate_reward_score": score, "metrics_list": metrics}


def partial_credit(right: Fraction, count: int) -> float:
    """What right steps earn under a wrong final number: nothing for the first, nor up to half."""
    return float(PARTIAL_CREDIT * (right - 1) / (count - 1)) if right > max(1, count / 2) else 0.0


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


def read_answer(text: str, *, method: str = "strict", boxed: bool = False) -> Fraction | None:
    """The number an answer ends in, or None where there is none to read."""
    end = text[-CLIP_CHARS:]
    stated = [(box, number) for box, number in STATED.findall(end) if boxed or not box]
    box, number = stated[-1] if stated else ("", "")
    if method == "flexible" and not box:
        number = next(reversed(NUMBER.findall(end)), "")
    return to_number(number)


def is_single(text: str, *, boxed: bool) -> bool:
    """Whether all numbers behind markers, and in boxes where they count, are one."""
    stated = {to_number(number) for box, number in STATED.findall(text) if boxed or not box}
    return len(stated) <= 1


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
    """The first sum and the last number of each chain of equals signs."""
    sides: list[tuple[str, str]] = []
    is_open = False  # whether the last of `sides` belongs to the chain at hand
    pieces = text.split("=")
    for place, (left, right) in enumerate(pairwise(pieces)):
        end = left[-EXPRESSION_CHARS:]
        before = PROSE_SIDE.search(end.splitlines()[-1] if end else "")
        run = before.group() if before else ""
        expression = run.lstrip(" x.,+*/")
        has_sum = _is_sum(expression.translate(TRANSLATION))
        is_link = place > 0 and "\n" not in left and (run == left or not has_sum)
        is_open = is_open and is_link
        number = NUMBER.match(right[:NUMBER_CHARS].lstrip(" \t"))
        if number and is_open:
            sides[-1] = (sides[-1][0], number.group())
        elif number and has_sum:
            sides.append((expression, number.group()))
            is_open = True
    return sides


def _step(left: str, right: str) -> Step | None:
    expression = left.translate(TRANSLATION)
    result = to_number(right.replace(" ", ""))
    if result is None or not _is_sum(expression):
        return None
    point = re.search(r"\.([0-9]*)", right)
    return Step(expression, result, len(point.group(1)) if point else 0)


def _is_sum(expression: str) -> bool:
    return not PRECEDENCE.keys().isdisjoint(expression[1:])


def checks_out(step: Step) -> bool:
    """Whether the left side comes to the right side, rounded as the right side is written."""
    value = evaluate(step.expression)
    return value is not None and comes_to(value, step)


def comes_to(value: Fraction, step: Step) -> bool:
    """Whether a value is the result of a step, rounded as that is written."""
    if value == step.result:
        return True
    return step.decimals > 0 and abs(value - step.result) * 2 * 10**step.decimals <= 1


def count_right(steps: tuple[Step, ...], reference: tuple[Step, ...]) -> Fraction:
    """How many of the steps meet one of the reference, a slip counted as half."""
    open_steps = list(reference)
    carried: dict[Fraction, Fraction] = {}  # what a wrong result should have been
    right = Fraction(0)
    for place, step in enumerate(steps):
        values = _values(step, carried)
        if not values:
            continue
        is_true = checks_out(step)
        met = next((each for each in open_steps if _meets(step, values, each)), None)
        if met is not None:
            open_steps.remove(met)
            right += Fraction(1) if is_true else Fraction(1, 2)
            meant = met.result
        elif len(steps) == len(reference) and reference[place] in open_steps:
            meant = reference[place].result
        else:
            meant = values[-1]
        if not comes_to(meant, step):
            carried[step.result] = meant
    return right


def _values(step: Step, carried: dict[Fraction, Fraction]) -> list[Fraction]:
    """What the left side comes to, as written and with earlier errors carried forward.

    Idle ones, where the result already stands on the left as in `24 + 0 = 24`, are left out.
    """
    corrected = OPERAND.sub(lambda m: _corrected(m.group(), carried), step.expression)
    values = []
    for expression in dict.fromkeys((step.expression, corrected)):
        value = evaluate(expression)
        operands = {_value(operand) for operand in OPERAND.findall(expression)}
        if value is not None and not operands & {value, step.result}:
            values.append(value)
    return values


def _corrected(operand: str, carried: dict[Fraction, Fraction]) -> str:
    right = carried.get(_value(operand))
    return operand if right is None else f"({right})"


def _meets(step: Step, values: list[Fraction], wanted: Step) -> bool:
    is_result = step.result == wanted.result and comes_to(values[0], step)
    return is_result or any(comes_to(value, wanted) for value in values)


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
