"""Check what a reward handler returned and turn it into grades; nothing in it is trusted.

Accepted: a JSON list with exactly one result per sample id, in any order.
Accepted with a warning: the same list in an API Gateway reply, because AWS's documents disagree.
A score is a finite number; a bool, a string, NaN or Infinity is not.
Extra keys are tolerated.
Two results that carry each other's id can't be noticed here: only the reward knows.
What Bedrock itself does with such replies is not known, so every fault is an error, never a 0.

Sources: Amazon Bedrock user guide, reward-functions; Nova guide, implementing-reward-functions (one
example there replies in the API Gateway form).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from bedrock_rft_sim.errors import ResponseError
from bedrock_rft_sim.grader.samples import Component, ComponentType, Grade
from bedrock_rft_sim.runs.metrics import is_number

SCORE_KEY = "aggregate_reward_score"
COMPONENT_TYPES: tuple[ComponentType, ...] = get_args(ComponentType)
SHOWN_CHARS = 120
SHOWN_IDS = 3
HTTP_OK = 200
API_GATEWAY_FORM = (
    "the reply is an API Gateway response (statusCode, body): one example of AWS's Nova guide "
    "returns that, the Bedrock user guide and every other sample return the list itself, and what "
    "Bedrock accepts is not known; return the list"
)


class ResultIdError(ResponseError):
    """The results can't be matched to the samples: an id is unknown, missing or there twice."""


@dataclass(frozen=True)
class Reply:
    """What a handler returned, checked."""

    grades: tuple[Grade, ...]
    """In the order of the ids that were sent."""
    warnings: tuple[str, ...] = ()
    """What was accepted although Bedrock may not accept it."""


def read_reply(body: bytes, ids: Sequence[str]) -> Reply:
    """Grades in the order of `ids`, and what is doubtful about the reply's form."""
    results, warnings = _results(_parse(body))
    return Reply(check_results(results, ids), warnings)


def check_results(results: Sequence[Any], ids: Sequence[str]) -> tuple[Grade, ...]:
    """One grade per id, whatever order the results came in."""
    by_id: dict[str, Mapping[str, Any]] = {}
    known = set(ids)
    for index, result in enumerate(results):
        sample_id = _result_id(result, index=index, known=known)
        if sample_id in by_id:
            raise _error("two results carry the same id", sample_id=sample_id, kind=ResultIdError)
        by_id[sample_id] = result
    _refuse_missing(ids, by_id)
    return tuple(_grade(sample_id, by_id[sample_id]) for sample_id in ids)


def _parse(body: bytes | str, *, what: str = "the reply") -> object:
    try:
        return json.loads(body)  # reads a bare NaN too, which is then refused with its id
    except (ValueError, RecursionError) as error:
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
        raise _error(f"{what} is not JSON ({error})", found=_shown(text)) from error


def _results(reply: object) -> tuple[list[Any], tuple[str, ...]]:
    """The list of results, and a warning where it came in another form."""
    if isinstance(reply, dict) and {"statusCode", "body"} <= reply.keys():
        return _api_gateway_body(reply), (API_GATEWAY_FORM,)
    return _list("the reply", reply), ()


def _api_gateway_body(reply: Mapping[str, Any]) -> list[Any]:
    status, body = reply["statusCode"], reply["body"]
    if status != HTTP_OK:
        raise _error(
            "the handler replied in the API Gateway form with another status than 200",
            expected="the list of results",
            found=f"statusCode {_shown(status)}, body {_shown(body)}",
            hint="raise an exception where grading fails; it is then tried again",
        )
    what = "the reply's body"
    return _list(what, _parse(body, what=what) if isinstance(body, str) else body)


def _list(what: str, found: object) -> list[Any]:
    if isinstance(found, list):
        return found
    raise _error(
        f"{what} is not a list of results",
        expected="a JSON list with one object per sample",
        found=_shown(found),
        hint=_shape_hint(found),
    )


def _shape_hint(reply: object) -> str:
    if reply is None:
        return "the handler returned None: does every path end in a return?"
    if isinstance(reply, dict) and "body" in reply:
        return "RFT invokes the function directly, without API Gateway: return the list itself"
    if isinstance(reply, dict) and SCORE_KEY in reply:
        return "return a list, even for one sample"
    return f'return [{{"id": sample["id"], "{SCORE_KEY}": 1.0}}, ...]'


def _result_id(result: object, *, index: int, known: set[str]) -> str:
    if not isinstance(result, dict):
        raise _error(
            f"result {index} is not an object",
            expected=f"an object with id and {SCORE_KEY}",
            found=_shown(result),
        )
    if "id" not in result:
        raise _error(
            f"result {index} has no id",
            kind=ResultIdError,
            expected="the id of the sample, as it was sent",
            found=_keys(result),
        )
    found = result["id"]
    if not isinstance(found, str) or found not in known:
        raise _error(
            f"result {index} carries an id that was not sent",
            kind=ResultIdError,
            expected=f"one of {_some(sorted(known))}",
            found=_shown(found),
            hint="copy the id from the sample; matching is by id, not by position",
        )
    return found


def _refuse_missing(ids: Sequence[str], by_id: Mapping[str, object]) -> None:
    missing = [sample_id for sample_id in ids if sample_id not in by_id]
    if missing:
        raise _error(
            f"{len(missing)} of {len(ids)} samples have no result",
            kind=ResultIdError,
            expected="one result per sample",
            found=f"no result for {_some(missing)}",
        )


def _grade(sample_id: str, result: Mapping[str, Any]) -> Grade:
    if SCORE_KEY not in result:
        raise _error(
            "the result has no score",
            sample_id=sample_id,
            expected=SCORE_KEY,
            found=_keys(result),
        )
    value = result[SCORE_KEY]
    if (score := _finite(value)) is None:
        raise _error(
            f"{SCORE_KEY} is not a finite number",
            sample_id=sample_id,
            expected="a finite number",
            found=f"{_shown(value)} ({type(value).__name__})",
        )
    return Grade(sample_id, score, _components(result.get("metrics_list"), sample_id=sample_id))


def _components(value: object, *, sample_id: str) -> tuple[Component, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        what = "metrics_list is not a list"
        raise _error(what, sample_id=sample_id, expected="a list", found=_shown(value))
    return tuple(_component(entry, sample_id=sample_id) for entry in value)


def _component(entry: object, *, sample_id: str) -> Component:
    if isinstance(entry, dict):
        name, kind, value = entry.get("name"), entry.get("type"), _finite(entry.get("value"))
        if (
            isinstance(name, str)
            and name
            and name.isprintable()
            and kind in COMPONENT_TYPES
            and value is not None
        ):
            return Component(name, value, kind)
    raise _error(
        "an entry of metrics_list is not well-formed",
        sample_id=sample_id,
        expected='{"name": <printable>, "value": <finite number>, "type": "Reward" or "Metric"}',
        found=_shown(entry),
    )


def _finite(value: object) -> float | None:
    """The value as a float if it is a finite number; a bool is none."""
    try:
        return float(value) if is_number(value) else None
    except OverflowError:
        return None


def _error(
    what: str,
    *,
    sample_id: str | None = None,
    kind: type[ResponseError] = ResponseError,
    **details: str | None,
) -> ResponseError:
    """Return the error; `details` are what was expected and found, and a hint."""
    where = "response" if sample_id is None else f"response, id {sample_id!r}"
    return kind(what, where=where, **details)


def _keys(result: Mapping[str, Any]) -> str:
    return _cut(f"the keys {', '.join(map(repr, result)) or '(none)'}")


def _shown(value: object) -> str:
    try:
        text = repr(value) if isinstance(value, str) else json.dumps(value, default=str)
    except RecursionError:
        return "something nested too deeply to show"
    return _cut(text)


def _cut(text: str) -> str:
    if len(text) <= SHOWN_CHARS:
        return text
    return f"{text[:SHOWN_CHARS]}… ({len(text):,} characters)"


def _some(ids: Sequence[str]) -> str:
    shown = ", ".join(map(repr, ids[:SHOWN_IDS]))
    return shown if len(ids) <= SHOWN_IDS else f"{shown} and {len(ids) - SHOWN_IDS} more"
