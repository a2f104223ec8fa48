"""A small table language for a request that has no service model, and the walk over it.

Deliberately only what one request needs: types, required keys, choices, patterns, nesting.
Sources: AWS Bedrock user guide, fine-tuning-openai-job-create; openai Python library.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from bedrock_rft_sim.contract.sources import OPENAI_SCHEMA, UG_OPENAI_JOBS
from bedrock_rft_sim.recipe.dialects.dialect import Refusal
from bedrock_rft_sim.recipe.wording import Keys, Plain, did_you_mean, dotted

Kind = Literal["string", "whole number", "number", "mapping", "list"]
TYPES: dict[Kind, type | tuple[type, ...]] = {
    "string": str,
    "whole number": int,
    "number": (int, float),
    "mapping": dict,
    "list": list,
}


@dataclass(frozen=True, slots=True)
class Field:
    """One key of the request."""

    kind: Kind
    _: KW_ONLY
    required: bool = False
    documented: bool = True
    """False for a key of OpenAI's schema that no Bedrock document shows."""
    or_auto: bool = False
    """Whether OpenAI's schema also takes the word auto."""
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    max_length: int | None = None
    members: Mapping[str, Field] | None = None
    refusal: str | None = None
    """The rule to name where a document says that the key is refused."""


def check_fields(
    fields: Mapping[str, Field], value: Mapping[str, Any], *, keys: Keys = ()
) -> Iterator[Refusal]:
    """Yield every violation at or below this mapping."""
    for name in value:
        if name not in fields:
            rule = "one of " + ", ".join(fields)
            hint = did_you_mean(name, fields)
            yield _fatal((*keys, name), value[name], rule=rule, problem="unknown key", hint=hint)
    for name, field in fields.items():
        if name in value:
            yield from _check_field(field, value[name], (*keys, name))
        elif field.required:
            yield _fatal((*keys, name), None, rule=name, problem="missing key")


def _check_field(field: Field, value: Plain, keys: Keys) -> Iterator[Refusal]:
    if field.or_auto and value == "auto":
        yield _refused(keys, value, rule=f"a {field.kind}; no Bedrock document shows auto")
        return
    if not _has_type(field.kind, value):
        yield _fatal(keys, value, rule=f"a {field.kind}", problem="wrong type")
        return
    if isinstance(value, float) and not math.isfinite(value):
        yield _fatal(keys, value, rule="a finite number", problem="not finite")
        return
    if not field.documented:
        yield _refused(keys, value, rule=field.refusal or "no such key")
    if field.kind == "string":
        yield from _check_string(field, value, keys)
    if field.members is not None:
        yield from check_fields(field.members, value, keys=keys)


def _check_string(field: Field, value: str, keys: Keys) -> Iterator[Refusal]:
    if not value:
        yield _fatal(keys, value, rule="a string with at least one character", problem="empty")
    if field.choices and value not in field.choices:
        rule = "one of " + ", ".join(field.choices)
        hint = did_you_mean(value, field.choices)
        yield _fatal(keys, value, rule=rule, problem="unknown value", hint=hint)
    if field.max_length is not None and len(value) > field.max_length:
        rule = f"at most {field.max_length} characters"
        yield Refusal(dotted(keys), value, rule, UG_OPENAI_JOBS, "too large")
    elif field.pattern and not re.fullmatch(field.pattern, value):
        rule = f"the pattern {field.pattern}"
        yield Refusal(dotted(keys), value, rule, UG_OPENAI_JOBS, "wrong form")


def _has_type(kind: Kind, value: Plain) -> bool:
    return isinstance(value, TYPES[kind]) and not isinstance(value, bool)


def _fatal(
    keys: Keys, value: Plain, *, rule: str, problem: str, hint: str | None = None
) -> Refusal:
    return Refusal(dotted(keys), value, rule, UG_OPENAI_JOBS, problem, rehearsable=False, hint=hint)


def _refused(keys: Keys, value: Plain, *, rule: str) -> Refusal:
    source = f"{OPENAI_SCHEMA}; in no Bedrock document"
    return Refusal(dotted(keys), value, rule, source, "not documented for Bedrock")
