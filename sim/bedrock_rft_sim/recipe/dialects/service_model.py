"""Check plain data against botocore's own service model, at both ends of every range.

botocore's validator looks at lower bounds and types only; enums, patterns and upper bounds are
left to the service. This one looks at all of them. Deliberately knows nothing of RFT.
Sources: botocore service model bedrock/2023-04-20.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

from bedrock_rft_sim.contract.sources import SERVICE_MODEL
from bedrock_rft_sim.recipe.dialects.dialect import Refusal
from bedrock_rft_sim.recipe.wording import Keys, Plain, did_you_mean, dotted

# A botocore shape; the library has no types of its own.
Shape = Any

# A job's name, alone in jobName and as one choice of jobIdentifier, is `(-*[...\-...])*`, which
# matches runs of dashes in exponentially many ways; this accepts the same strings in linear time.
_EXPONENTIAL: Final = r"[a-zA-Z0-9](-*[a-zA-Z0-9\+\-\.])*"
_LINEAR: Final = r"[a-zA-Z0-9][a-zA-Z0-9+\-.]*"
_JAVA_ONLY: Final = r"\p{"  # names a class of characters; Python's patterns don't know it
_OPAQUE: Final = ("timestamp", "blob")


@cache
def service_model(service: str) -> Any:
    """Load a service's model from the files inside botocore, without a session."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    loader = Loader(
        extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False
    )
    return ServiceModel(loader.load_service_model(service, "service-2"), service)


@cache
def input_shape(service: str, operation: str) -> Shape:
    """Return one operation's input."""
    return service_model(service).operation_model(operation).input_shape


def check_shape(shape: Shape, value: Plain, *, keys: Keys = ()) -> Iterator[Refusal]:
    """Yield every violation at or below this value; times and blobs are their reader's to check."""
    if _kind(shape) in _OPAQUE:
        return
    if not _has_type(shape, value):
        yield _refused(
            shape, value, keys=keys, problem="wrong type", rule=_TYPE_WORDS[_kind(shape)]
        )
        return
    check = _CHECKS.get(_kind(shape))
    if check is not None:
        yield from check(shape, value, keys)


def _check_structure(shape: Shape, value: dict[str, Any], keys: Keys) -> Iterator[Refusal]:
    for name in value:
        if name not in shape.members:
            yield _unknown(shape, name, value[name], keys)
    for name in shape.required_members:
        if name not in value:
            yield _missing(shape, name, keys)
    if shape.metadata.get("union") and len(value) != 1:
        yield _refused(
            shape,
            sorted(value),
            keys=keys,
            problem="not exactly one choice",
            rule="exactly one of " + ", ".join(shape.members),
        )
    for name, member in shape.members.items():
        if name in value:
            yield from check_shape(member, value[name], keys=(*keys, name))


def _check_list(shape: Shape, value: list[Any], keys: Keys) -> Iterator[Refusal]:
    yield from _check_range(shape, value, keys, size=len(value), unit=" entries")
    for position, item in enumerate(value):
        yield from check_shape(shape.member, item, keys=(*keys, position))


def _check_map(shape: Shape, value: dict[str, Any], keys: Keys) -> Iterator[Refusal]:
    yield from _check_range(shape, value, keys, size=len(value), unit=" entries")
    for name, item in value.items():
        yield from check_shape(shape.key, name, keys=(*keys, name))
        yield from check_shape(shape.value, item, keys=(*keys, name))


def _check_string(shape: Shape, value: str, keys: Keys) -> Iterator[Refusal]:
    choices = shape.metadata.get("enum")
    if choices and value not in choices:
        yield _refused(
            shape,
            value,
            keys=keys,
            problem="unknown value",
            rule="one of " + ", ".join(choices),
            hint=did_you_mean(value, choices),
        )
    yield from _check_range(shape, value, keys, size=len(value), unit=" characters")
    pattern = shape.metadata.get("pattern", "")
    too_long = len(value) > shape.metadata.get("max", math.inf)
    can_match = pattern and _JAVA_ONLY not in pattern and not too_long
    if can_match and not re.fullmatch(quick(pattern), value):
        rule = f"the pattern {pattern}"
        yield _refused(shape, value, keys=keys, problem="wrong form", rule=rule, rehearsable=True)


def quick(pattern: str) -> str:
    """Return a pattern that accepts the same strings without trying exponentially many ways."""
    return pattern.replace(_EXPONENTIAL, _LINEAR)


def _check_number(shape: Shape, value: float, keys: Keys) -> Iterator[Refusal]:
    if not math.isfinite(value):
        yield _refused(shape, value, keys=keys, problem="not finite", rule="a finite number")
        return
    yield from _check_range(shape, value, keys, size=value, unit="")


def _check_range(
    shape: Shape, value: Plain, keys: Keys, *, size: float, unit: str
) -> Iterator[Refusal]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    below, above = low is not None and size < low, high is not None and size > high
    if below or above:
        yield _refused(
            shape,
            value,
            keys=keys,
            problem="too small" if below else "too large",
            rule=f"{range_words(low, high)}{unit}",
            rehearsable=True,
        )


def range_words(low: float | None, high: float | None) -> str:
    """Write a range as a rule; at least one end is known."""
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"


def _unknown(shape: Shape, name: str, value: Plain, keys: Keys) -> Refusal:
    return _refused(
        shape,
        value,
        keys=(*keys, name),
        problem="unknown key",
        rule="one of " + ", ".join(shape.members),
        hint=did_you_mean(name, shape.members),
    )


def _missing(shape: Shape, name: str, keys: Keys) -> Refusal:
    return _refused(
        shape.members[name], None, keys=(*keys, name), problem="missing key", rule=f"{name}"
    )


def _refused(
    shape: Shape,
    value: Plain,
    *,
    keys: Keys,
    problem: str,
    rule: str,
    rehearsable: bool = False,
    hint: str | None = None,
) -> Refusal:
    return Refusal(
        path=dotted(keys),
        value=value,
        rule=rule,
        source=f"{SERVICE_MODEL}, {shape.name}",
        problem=problem,
        rehearsable=rehearsable,
        hint=hint,
    )


def _kind(shape: Shape) -> str:
    kind: str = shape.type_name
    return kind


def _has_type(shape: Shape, value: Plain) -> bool:
    expected = _TYPES[_kind(shape)]
    is_flag = isinstance(value, bool)
    return isinstance(value, expected) and is_flag == (expected is bool)


_TYPES: dict[str, type | tuple[type, ...]] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
}
_TYPE_WORDS = {
    "structure": "a mapping",
    "map": "a mapping",
    "list": "a list",
    "string": "a string",
    "boolean": "true or false",
    "integer": "a whole number",
    "long": "a whole number",
    "float": "a number",
    "double": "a number",
}
_CHECKS: dict[str, Callable[[Shape, Any, Keys], Iterator[Refusal]]] = {
    "structure": _check_structure,
    "map": _check_map,
    "list": _check_list,
    "string": _check_string,
    "integer": _check_number,
    "long": _check_number,
    "float": _check_number,
    "double": _check_number,
}
