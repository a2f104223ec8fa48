"""Tool calls: are the right tools called, with the right arguments, in the right order?

The calls are JSON: a list of calls or one call, alone, inside a single Markdown fence, or each
between `<tool_call>` and `</tool_call>`, where what stands around the tags does not matter. A call
is {"name": .., "arguments": {..}}; `parameters` and `input` are read like `arguments`, which may
also be a text that holds them as JSON, and a call may be wrapped as {"function": call} or
{"toolUse": call}. Strict JSON (no NaN, no repeated keys), at most 20,000 characters, 32 levels and
32 calls. Names and texts are compared exactly, numbers by value (1 is 1.0, never true), lists in
order.
Full score 1.0: the same calls with the same arguments, none missing, none superfluous, in order.
Partial score, at most 0.8, for anything else: 0.8 x the sum over pairs of calls / the number of
calls in the reference or in the answer, whichever is larger. Calls of one name are paired, in
order, so that the sum is largest; a pair adds equal arguments / all arguments of both together, 1
where neither has any. So a name earns nothing by itself, a call out of its order is a missing and a
superfluous one, and more calls or arguments than needed cost. TOOL_CALLS_PARTIAL=off forbids it.
With `"ordered": false` in the reference the order of the calls does not matter.
No score: no readable call, or no call of the reference with an equal argument.
Floor 0.19 on the rows of its tests, the most that a script earns which sees only the prompts:
always the same tool, with the numbers and names of the prompt.

The reference may sit in `metadata` or at the root of a sample, under `reference_answer` or
`ground_truth`, as one call, an object that holds one or a list of them under `calls` or
`tool_calls`, or a text that holds any of these, or the list alone, as JSON, plain or as
{"text": ...}. A sample without a readable reference raises: a silent 0 would train on noise.

In `metrics_list`: calls_equal (Reward) is 1 for the full score; calls_matched (Reward) is the share
from which partial scores come; names_equal (Metric) is 1 where the names of the calls are right, in
order where it matters; calls_found (Metric) is 0 where no call could be read.

Sources: Berkeley Function-Calling Leaderboard (names and arguments compared, order apart from
parallel calls); OpenAI, Amazon Bedrock Converse and Hermes formats of a call; AWS Machine Learning
Blog, "RFT on Amazon Bedrock: best practices" (correctness of calls and arguments, partial credit).
"""

from __future__ import annotations

import json
import math
import os
from functools import lru_cache
from typing import Any, NamedTuple

ANSWER_CHARS = 20_000
DEPTH = 32
MOST_CALLS = 32
PARTIAL_CREDIT = 0.8
ASSISTANT_ROLES = ("assistant", "nova_assistant")
REFERENCE_KEYS = ("reference_answer", "ground_truth")
LIST_KEYS = ("calls", "tool_calls")
WRAPPERS = ("function", "toolUse")
ARGUMENT_KEYS = ("arguments", "parameters", "input")
FENCE = "```"
OPENING, CLOSING = "<tool_call>", "</tool_call>"


class Call(NamedTuple):
    """One call as it is compared."""

    name: str
    arguments: frozenset[tuple[str, str]]
    """Names with their values as canonical JSON."""


class Expected(NamedTuple):
    """A reference, taken apart."""

    calls: tuple[Call, ...]
    ordered: bool


def lambda_handler(event: list[dict[str, Any]], context: object) -> list[dict[str, Any]]:
    """Grade a list of samples; the results carry the samples' ids."""
    del context
    if not isinstance(event, list):
        raise TypeError(f"expected a list of samples, found {type(event).__name__}")
    partial = choice("TOOL_CALLS_PARTIAL", "on", ("on", "off"))
    return [grade(sample, partial=partial == "on") for sample in event]


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """A setting of the environment that has few values."""
    value = os.environ.get(name, default)
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}, expected {' or '.join(allowed)}")
    return value


def grade(sample: dict[str, Any], *, partial: bool = True) -> dict[str, Any]:
    """One sample in, one result out."""
    sample_id = sample["id"]
    try:
        expected = read_reference(find_reference(sample))
        calls = read_answer(last_answer(sample["messages"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"sample {sample_id!r}: {error}") from error
    wanted = expected.calls
    if not expected.ordered:
        calls, wanted = tuple(sorted(calls, key=_sorting)), tuple(sorted(wanted, key=_sorting))
    is_equal = float(calls == wanted)
    share = share_matched(calls, wanted)
    names = [call.name for call in calls] == [call.name for call in wanted]
    return {
        "id": sample_id,
        "aggregate_reward_score": is_equal or (PARTIAL_CREDIT * share if partial else 0.0),
        "metrics_list": [
            {"name": "calls_equal", "value": is_equal, "type": "Reward"},
            {"name": "calls_matched", "value": share, "type": "Reward"},
            {"name": "names_equal", "value": float(names), "type": "Metric"},
            {"name": "calls_found", "value": float(bool(calls)), "type": "Metric"},
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


def read_reference(reference: object) -> Expected:
    """The calls of a reference of any known shape, and whether their order matters."""
    held, ordered = reference, True
    if isinstance(held, dict) and set(held) == {"text"}:
        held = held["text"]
    try:
        if isinstance(held, str):
            held = _parse(held)
        if isinstance(held, dict):
            ordered = held.get("ordered", True) is not False
            held = next((held[key] for key in LIST_KEYS if key in held), held)
        calls = _calls([held])
    except (RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"unreadable reference {str(reference)[:80]!r}: {error}") from error
    if not calls:
        raise ValueError(f"unreadable reference {str(reference)[:80]!r}: it holds no call")
    return Expected(calls, ordered)


def last_answer(messages: list[dict[str, Any]]) -> str:
    """The text of the assistant turn that ends the conversation."""
    if not messages or messages[-1].get("role") not in ASSISTANT_ROLES:
        raise ValueError(f"the last message is not one of {' or '.join(ASSISTANT_ROLES)}")
    content = messages[-1].get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return content or ""


@lru_cache(maxsize=1024)  # many answers of one prompt are the same
def read_answer(text: str) -> tuple[Call, ...]:
    """The calls of an answer; none where one of them can't be read."""
    if len(text) > ANSWER_CHARS:
        return ()
    try:
        return _calls([_parse(part) for part in _parts(text)])
    except (RecursionError, TypeError, ValueError):  # no JSON, no calls, or too deep
        return ()


def _parts(text: str) -> list[str]:
    """What is to be read as JSON: the insides of the tags, a fence's, or the whole text."""
    if OPENING in text:
        return [part.partition(CLOSING)[0] for part in text.split(OPENING)[1:]]
    parts = text.split(FENCE)
    if len(parts) == 3 and "{" not in parts[0] + parts[2]:  # noqa: PLR2004 - one fence
        return [parts[1].strip().removeprefix("json")]
    return [text]


def _parse(text: str) -> object:
    found: object = json.loads(
        text, object_pairs_hook=_unique_keys, parse_constant=_refuse, parse_float=_finite
    )
    return found


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return dict(pairs)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    if not math.isfinite(float(text)):
        raise ValueError(f"{text[:20]} is no finite number")
    return float(text)


def _calls(found: list[Any]) -> tuple[Call, ...]:
    """Each a call, or a list of calls."""
    calls = [call for each in found for call in (each if isinstance(each, list) else [each])]
    if len(calls) > MOST_CALLS:
        raise ValueError(f"{len(calls)} calls, expected {MOST_CALLS} at most")
    return tuple(map(_call, calls))


def _call(found: object) -> Call:
    call = found
    if isinstance(call, dict):
        call = next((call[key] for key in WRAPPERS if isinstance(call.get(key), dict)), call)
    if not isinstance(call, dict) or not isinstance(call.get("name"), str) or not call["name"]:
        raise ValueError(f"expected a call with a name, found {str(found)[:80]!r}")
    arguments: Any = next((call[key] for key in ARGUMENT_KEYS if call.get(key) is not None), {})
    if isinstance(arguments, str):
        arguments = _parse(arguments or "{}")
    if not isinstance(arguments, dict):
        raise TypeError(f"expected arguments by name, found {str(arguments)[:80]!r}")
    fields = (
        (name, json.dumps(_plain(value), sort_keys=True)) for name, value in arguments.items()
    )
    return Call(call["name"], frozenset(fields))


def _plain(value: Any, depth: int = 1) -> Any:
    """A value in which equal numbers are written alike: 1.0 is 1."""
    if depth > DEPTH:
        raise ValueError(f"deeper than {DEPTH} levels")
    if isinstance(value, dict):
        return {key: _plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, depth + 1) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _sorting(call: Call) -> tuple[str, list[tuple[str, str]]]:
    return call.name, sorted(call.arguments)


def share_matched(calls: tuple[Call, ...], wanted: tuple[Call, ...]) -> float:
    """What the best pairing in order is worth, over the longer of the two lists."""
    best = [0.0] * (len(wanted) + 1)  # by the number of wanted calls looked at
    for call in calls:
        before = best
        best = [0.0]
        for place, other in enumerate(wanted):
            paired = before[place] + _likeness(call, other)
            best.append(max(paired, before[place + 1], best[place]))
    return best[-1] / max(len(calls), len(wanted))


def _likeness(call: Call, wanted: Call) -> float:
    """Equal arguments over all arguments of both; 1 where neither has any."""
    if call.name != wanted.name:
        return 0.0
    values, others = dict(call.arguments), dict(wanted.arguments)
    equal = len(call.arguments & wanted.arguments)
    return equal / len(values.keys() | others.keys()) if values or others else 1.0
