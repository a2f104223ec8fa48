"""Check plain data against botocore's own service model, at both ends of every range.

botocore's validator looks at lower bounds and types only; enums, patterns and upper bounds are
left to the service. This one looks at all of them. Deliberately knows nothing of RFT.
Sources: botocore service model bedrock/2023-04-20.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class _Spot:
    """A shape and where in the request its value stands."""

    shape: Shape
    keys: Keys

    def below(self, key: str | int, shape: Shape) -> _Spot:
        return _Spot(shape, (*self.keys, key))

    def refuse(
        self,
        value: Plain,
        problem: str,
        *,
        rule: str,
        rehearsable: bool = False,
        hint: str | None = None,
    ) -> Refusal:
        source = f"{SERVICE_MODEL}, {self.shape.name}"
        return Refusal(dotted(self.keys), value, rule, source, problem, rehearsable, hint)


def check_shape(shape: Shape, value: Plain, *, keys: Keys = ()) -> Iterator[Refusal]:
    """Yield every violation at or below this value; times and blobs are their reader's to check."""
    yield from _check(_Spot(shape, keys), value)


def _check(spot: _Spot, value: Plain) -> Iterator[Refusal]:
    types, words, check = KINDS[spot.shape.type_name]
    is_apt = not isinstance(value, bool) or types in (bool, object)  # a flag is no number
    if isinstance(value, types) and is_apt:
        yield from check(spot, value)
    else:
        yield spot.refuse(value, "wrong type", rule=words)


def _check_structure(spot: _Spot, value: dict[str, Any]) -> Iterator[Refusal]:
    shape, choices = spot.shape, ", ".join(spot.shape.members)
    for name in value:
        if name not in shape.members:
            hint = did_you_mean(name, shape.members)
            there = spot.below(name, shape)
            yield there.refuse(value[name], "unknown key", rule=f"one of {choices}", hint=hint)
    for name in shape.required_members:
        if name not in value:
            yield spot.below(name, shape.members[name]).refuse(None, "missing key", rule=name)
    if shape.metadata.get("union") and len(value) != 1:
        rule = f"exactly one of {choices}"
        yield spot.refuse(sorted(value), "not exactly one choice", rule=rule)
    for name, member in shape.members.items():
        if name in value:
            yield from _check(spot.below(name, member), value[name])


def _check_list(spot: _Spot, value: list[Any]) -> Iterator[Refusal]:
    yield from _check_range(spot, value, size=len(value), unit=" entries")
    for position, item in enumerate(value):
        yield from _check(spot.below(position, spot.shape.member), item)


def _check_map(spot: _Spot, value: dict[str, Any]) -> Iterator[Refusal]:
    yield from _check_range(spot, value, size=len(value), unit=" entries")
    for name, item in value.items():
        yield from _check(spot.below(name, spot.shape.key), name)
        yield from _check(spot.below(name, spot.shape.value), item)


def _check_string(spot: _Spot, value: str) -> Iterator[Refusal]:
    known = spot.shape.metadata
    choices, pattern = known.get("enum"), known.get("pattern", "")
    if choices and value not in choices:
        rule, hint = "one of " + ", ".join(choices), did_you_mean(value, choices)
        yield spot.refuse(value, "unknown value", rule=rule, hint=hint)
    yield from _check_range(spot, value, size=len(value), unit=" characters")
    too_long = len(value) > known.get("max", math.inf)
    can_match = pattern and _JAVA_ONLY not in pattern and not too_long
    if can_match and not re.fullmatch(quick(pattern), value):
        yield spot.refuse(value, "wrong form", rule=f"the pattern {pattern}", rehearsable=True)


def quick(pattern: str) -> str:
    """Return a pattern that accepts the same strings without trying exponentially many ways."""
    return pattern.replace(_EXPONENTIAL, _LINEAR)


def _check_number(spot: _Spot, value: float) -> Iterator[Refusal]:
    if math.isfinite(value):
        yield from _check_range(spot, value, size=value, unit="")
    else:
        yield spot.refuse(value, "not finite", rule="a finite number")


def _check_range(spot: _Spot, value: Plain, *, size: float, unit: str) -> Iterator[Refusal]:
    low, high = spot.shape.metadata.get("min"), spot.shape.metadata.get("max")
    below, above = low is not None and size < low, high is not None and size > high
    if below or above:
        problem = "too small" if below else "too large"
        rule = f"{range_words(low, high)}{unit}"
        yield spot.refuse(value, problem, rule=rule, rehearsable=True)


def range_words(low: float | None, high: float | None) -> str:
    """Write a range as a rule; at least one end is known."""
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"


def _check_nothing(spot: _Spot, value: Plain) -> Iterator[Refusal]:  # noqa: ARG001
    yield from ()


_Check = Callable[[_Spot, Any], Iterator[Refusal]]
_NUMBER = (int, float)
# By botocore's name of a kind of shape: types of plain data, their name in a rule, further checks.
KINDS: Final[dict[str, tuple[type | tuple[type, ...], str, _Check]]] = {
    "structure": (dict, "a mapping", _check_structure),
    "map": (dict, "a mapping", _check_map),
    "list": (list, "a list", _check_list),
    "string": (str, "a string", _check_string),
    "boolean": (bool, "true or false", _check_nothing),
    "integer": (int, "a whole number", _check_number),
    "long": (int, "a whole number", _check_number),
    "float": (_NUMBER, "a number", _check_number),
    "double": (_NUMBER, "a number", _check_number),
    "timestamp": (object, "a time", _check_nothing),
    "blob": (object, "bytes", _check_nothing),
}
