"""Take values of a known type out of a request's body, or refuse them under their name.

Sources: OpenAI API reference, errors (the parameter that is wrong stands in `param`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Any, TypeVar

from bedrock_rft_sim.server.mantle.errors import wrong

N = TypeVar("N", int, float)


def typed(
    body: Mapping[str, Any], name: str, kind: type | UnionType, words: str, *, under: str = ""
) -> Any:
    """Return a value of this kind; None where it is absent.

    Raises:
        OpenAIError: it is of another.
    """
    value = body.get(name)
    is_other = not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
    if value is not None and is_other:
        path = f"{under}.{name}" if under else name
        raise wrong(path, f"expected {words}, got {value!r:.60}.", code="invalid_type")
    return value


def whole(
    body: Mapping[str, Any], name: str, *, low: int | None = None, high: int | None = None
) -> int | None:
    """Return a whole number; None where it is absent.

    Raises:
        OpenAIError: it is none, or out of range.
    """
    value: int | None = typed(body, name, int, "a whole number")
    return None if value is None else _in_range(name, value, low, high)


def number(body: Mapping[str, Any], name: str, *, low: float, high: float, absent: float) -> float:
    """Return a number; `absent` where there is none.

    Raises:
        OpenAIError: it is none, or out of range.
    """
    value: float | None = typed(body, name, int | float, "a number")
    return absent if value is None else float(_in_range(name, value, low, high))


def _in_range(name: str, value: N, low: float | None, high: float | None) -> N:
    if low is not None and value < low:
        raise wrong(name, f"expected at least {low}, got {value}.", code="below_min_value")
    if high is not None and value > high:
        raise wrong(name, f"expected at most {high}, got {value}.", code="above_max_value")
    return value


def flag(body: Mapping[str, Any], name: str, *, under: str = "") -> bool:
    """Return true or false; false where it is absent.

    Raises:
        OpenAIError: it is neither.
    """
    return bool(typed(body, name, bool, "true or false", under=under))


def text(body: Mapping[str, Any], name: str) -> str | None:
    """Return a string; None where it is absent.

    Raises:
        OpenAIError: it is none.
    """
    value: str | None = typed(body, name, str, "a string")
    return value


def mapping(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an object; an empty one where it is absent.

    Raises:
        OpenAIError: it is none.
    """
    value: dict[str, Any] | None = typed(body, name, dict, "an object")
    return value or {}


def texts(body: Mapping[str, Any], name: str, *, most: int) -> tuple[str, ...]:
    """Return a string or a list of strings, none of them empty, as a tuple.

    Raises:
        OpenAIError: it is neither, or too long.
    """
    value = body.get(name)
    several = [value] if isinstance(value, str) else value or []
    if not isinstance(several, list) or not all(isinstance(each, str) and each for each in several):
        raise wrong(name, "expected a string or a list of strings, none of them empty.")
    if len(several) > most:
        raise wrong(name, f"expected at most {most}, got {len(several)}.")
    return tuple(several)
