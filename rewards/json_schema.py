"""Structured extraction: is the answer a JSON object of the right shape, with the right values?

The answer is one JSON object, alone or inside a single Markdown fence; strict JSON (no NaN, no
repeated keys), at most 20,000 characters and 32 levels.
Field accuracy = equal fields / (all fields of the reference or the answer together), where a field
is a path to a value that holds no further ones: `items[0].price`. So missing, wrong and superfluous
fields all cost, and padding buys nothing. Numbers are compared by value (1 is 1.0, never true),
texts exactly, lists in order.
Score = field accuracy, halved where the object breaks the schema.
Full score 1.0: valid, and every field equal, none missing, none superfluous.
No score: no readable object, or no field right. Form alone earns nothing.
Floor 0.08 on the rows of its tests, the most that a script earns which sees only the prompts:
one reference as the answer to everything.

The schema is optional. It comes from the sample, under `schema` in `metadata` or at the root, else
from the environment variable JSON_SCHEMA. Of JSON Schema it may use: type, properties, required,
additionalProperties (true or false), items (one schema), enum, const, minimum, maximum, minLength,
maxLength, minItems, maxItems, and the annotations $schema, title, description, default, examples.
Any other keyword raises, since ignoring it would promise more than is checked; `pattern` is left
out because the model could stall the grader with it. Without a schema every object is valid, and
the reference's own keys are the required ones.

The reference may sit in `metadata` or at the root of a sample, under `reference_answer` or
`ground_truth`, as the expected object, or as a text that holds it, plain or as {"text": ...}. A
sample without a readable reference, or one that breaks the schema, raises: a silent 0 would train
on noise.

In `metrics_list`: field_accuracy (Reward); schema_valid (Metric); exact_match (Metric) is 1 where
every field is right and none superfluous; required_keys (Metric) is the
share of required top-level keys that are there, 1 where none is required; json_found (Metric) is 0
where no object could be read.

Sources: json-schema.org, draft 2020-12, validation (the meaning of the keywords); AWS Machine
Learning Blog, "RFT on Amazon Bedrock: best practices" (structured extraction: schema, exact match,
penalties).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any

ANSWER_CHARS = 20_000
DEPTH = 32
INVALID_FACTOR = 0.5
ASSISTANT_ROLES = ("assistant", "nova_assistant")
REFERENCE_KEYS = ("reference_answer", "ground_truth")
FENCE = "```"
ANNOTATIONS = {"$schema", "title", "description", "default", "examples"}

Path = tuple[str | int, ...]


def lambda_handler(event: list[dict[str, Any]], context: object) -> list[dict[str, Any]]:
    """Grade a list of samples; the results carry the samples' ids."""
    del context
    if not isinstance(event, list):
        raise TypeError(f"expected a list of samples, found {type(event).__name__}")
    schema = read_schema(os.environ.get("JSON_SCHEMA") or "{}")
    return [grade(sample, schema=schema) for sample in event]


def grade(sample: dict[str, Any], *, schema: dict[str, Any]) -> dict[str, Any]:
    """One sample in, one result out."""
    sample_id = sample["id"]
    try:
        own = find_schema(sample) or schema
        expected = read_reference(find_reference(sample), schema=own)
        found = read_answer(last_answer(sample["messages"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"sample {sample_id!r}: {error}") from error
    accuracy = 0.0 if found is None else field_accuracy(found, expected)
    valid = found is not None and is_valid(found, own)
    required = own.get("required", [] if own else list(expected))
    present = sum(key in (found or {}) for key in required)
    share = present / len(required) if required else float(found is not None)
    return {
        "id": sample_id,
        "aggregate_reward_score": accuracy if valid else accuracy * INVALID_FACTOR,
        "metrics_list": [
            {"name": "field_accuracy", "value": accuracy, "type": "Reward"},
            {"name": "schema_valid", "value": float(valid), "type": "Metric"},
            {"name": "exact_match", "value": float(accuracy == 1), "type": "Metric"},
            {"name": "required_keys", "value": share, "type": "Metric"},
            {"name": "json_found", "value": float(found is not None), "type": "Metric"},
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


def find_schema(sample: dict[str, Any]) -> dict[str, Any] | None:
    """The schema a sample carries, checked."""
    metadata = sample.get("metadata")
    for place in (metadata if isinstance(metadata, dict) else {}, sample):
        if place.get("schema") is not None:
            return read_schema(json.dumps(place["schema"]))
    return None


def read_reference(reference: object, *, schema: dict[str, Any]) -> dict[str, Any]:
    """The expected object."""
    expected: object
    if isinstance(reference, dict) and set(reference) == {"text"}:
        expected = _parse(str(reference["text"])) or reference
    else:
        expected = _parse(reference) if isinstance(reference, str) else reference
    if not isinstance(expected, dict) or not expected:
        raise ValueError(
            f"unreadable reference {str(reference)[:80]!r}: expected a JSON object that is not "
            "empty, or a text that holds one"
        )
    if not is_valid(expected, schema):
        raise ValueError(f"unreadable reference {str(reference)[:80]!r}: it breaks the schema")
    return expected


def last_answer(messages: list[dict[str, Any]]) -> str:
    """The text of the assistant turn that ends the conversation."""
    if not messages or messages[-1].get("role") not in ASSISTANT_ROLES:
        raise ValueError(f"the last message is not one of {' or '.join(ASSISTANT_ROLES)}")
    content = messages[-1].get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return content or ""


def read_answer(text: str) -> dict[str, Any] | None:
    """The object of an answer, or None where there is none to read."""
    if len(text) > ANSWER_CHARS:
        return None
    parts = text.split(FENCE)
    if len(parts) == 3 and "{" not in parts[0] + parts[2]:  # noqa: PLR2004 - one fence
        text = parts[1].strip().removeprefix("json")
    found = _parse(text)
    return found if found is not None and _depth(found) <= DEPTH else None


def _parse(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_constant=_refuse,
            parse_float=_finite,
        )
    except (ValueError, RecursionError):  # ValueError: not JSON, ours, or an endless integer
        return None
    return found if isinstance(found, dict) else None


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


def _depth(value: object) -> int:
    depth = 0
    level: list[Any] = [value]
    while level := [inner for outer in level for inner in _inside(outer).values()]:
        depth += 1
    return depth


def _inside(value: object) -> dict[str | int, Any]:
    if isinstance(value, list):
        return dict(enumerate(value))
    return dict(value) if isinstance(value, dict) else {}


def field_accuracy(found: dict[str, Any], expected: dict[str, Any]) -> float:
    """Equal fields over all fields of both, between 0 and 1."""
    ours, theirs = fields_of(found), fields_of(expected)
    equal = sum(path in ours and is_equal(ours[path], theirs[path]) for path in theirs)
    return equal / len(ours.keys() | theirs.keys())


def fields_of(value: object) -> dict[Path, Any]:
    """Values that hold no further ones (an empty list or object is one), by their path."""
    fields: dict[Path, Any] = {}
    waiting: list[tuple[Path, Any]] = [((), value)]
    while waiting:
        path, outer = waiting.pop()
        inside = _inside(outer)
        if inside:
            waiting += [((*path, key), inner) for key, inner in inside.items()]
        else:
            fields[path] = outer
    return fields


def is_equal(left: object, right: object) -> bool:
    """Equality as in JSON: true is not 1, but 1 is 1.0."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    is_number = isinstance(left, (int, float)) and isinstance(right, (int, float))
    return left == right and (is_number or type(left) is type(right))


@lru_cache(maxsize=64)  # a schema is mostly the same for every sample
def read_schema(text: str) -> dict[str, Any]:
    """A schema that uses known keywords only."""
    try:
        schema = json.loads(text)
    except ValueError as error:
        raise ValueError(f"the schema is not JSON ({error}): {text[:80]!r}") from error
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        known = isinstance(part, dict) and (CHECKS.keys() | ANNOTATIONS)
        unknown = sorted(set(part) - known) if known else [str(part)[:80]]
        types = part.get("type", []) if known else []
        unknown += [name for name in _as_list(types) if name not in TYPES]
        if unknown:
            raise ValueError(f"the schema uses {unknown}, expected {', '.join(sorted(CHECKS))}")
        waiting += part.get("properties", {}).values()
        waiting += [part["items"]] if "items" in part else []
    return dict(schema)


def is_valid(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value keeps every rule of a schema."""
    return all(CHECKS[key](value, rule, schema) for key, rule in schema.items() if key in CHECKS)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": lambda value: _is_number(value) and value == value // 1,
}


def _has_type(value: Any, rule: Any, _: dict[str, Any]) -> bool:
    return any(TYPES[name](value) for name in _as_list(rule))


def _has_properties(value: Any, rule: Any, _: dict[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    return all(is_valid(value[key], inner) for key, inner in rule.items() if key in value)


def _has_no_others(value: Any, rule: Any, schema: dict[str, Any]) -> bool:
    if rule is not False or not isinstance(value, dict):
        return True
    return value.keys() <= schema.get("properties", {}).keys()


# A rule about texts, lists or numbers says nothing about values of another kind.
CHECKS: dict[str, Callable[[Any, Any, dict[str, Any]], bool]] = {
    "type": _has_type,
    "properties": _has_properties,
    "additionalProperties": _has_no_others,
    "required": lambda value, rule, _: not isinstance(value, dict) or set(rule) <= value.keys(),
    "items": lambda value, rule, _: (
        not isinstance(value, list) or all(is_valid(item, rule) for item in value)
    ),
    "enum": lambda value, rule, _: any(is_equal(value, allowed) for allowed in rule),
    "const": lambda value, rule, _: is_equal(value, rule),
    "minimum": lambda value, rule, _: not _is_number(value) or value >= rule,
    "maximum": lambda value, rule, _: not _is_number(value) or value <= rule,
    "minLength": lambda value, rule, _: not isinstance(value, str) or len(value) >= rule,
    "maxLength": lambda value, rule, _: not isinstance(value, str) or len(value) <= rule,
    "minItems": lambda value, rule, _: not isinstance(value, list) or len(value) >= rule,
    "maxItems": lambda value, rule, _: not isinstance(value, list) or len(value) <= rule,
}
