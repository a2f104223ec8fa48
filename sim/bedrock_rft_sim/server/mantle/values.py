"""Take values of a known type out of a request's body, or refuse them under their name.

Sources: OpenAI API reference, errors (the parameter that is wrong stands in `param`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bedrock_rft_sim.server.mantle.errors import wrong


def whole(
    body: Mapping[str, Any], name: str, *, low: int | None = None, high: int | None = None
) -> int | None:
    """Return a whole number; None where it is absent.

    Raises:
        OpenAIError: it is none, or out of range.
    """
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong(name, f"expected a whole number, got {value!r:.60}.", code="invalid_type")
    _demand_range(name, value, low, high)
    return value


def number(body: Mapping[str, Any], name: str, *, low: float, high: float, absent: float) -> float:
    """Return a number; `absent` where there is none.

    Raises:
        OpenAIError: it is none, or out of range.
    """
    value = body.get(name)
    if value is None:
        return absent
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise wrong(name, f"expected a number, got {value!r:.60}.", code="invalid_type")
    _demand_range(name, value, low, high)
    return float(value)


def _demand_range(name: str, value: float, low: float | None, high: float | None) -> None:
    if low is not None and value < low:
        raise wrong(name, f"expected at least {low}, got {value}.", code="below_min_value")
    if high is not None and value > high:
        raise wrong(name, f"expected at most {high}, got {value}.", code="above_max_value")


def flag(body: Mapping[str, Any], name: str, *, under: str = "") -> bool:
    """Return true or false; false where it is absent.

    Raises:
        OpenAIError: it is neither.
    """
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        path = f"{under}.{name}" if under else name
        raise wrong(path, f"expected true or false, got {value!r:.60}.", code="invalid_type")
    return bool(value)


def text(body: Mapping[str, Any], name: str) -> str | None:
    """Return a string; None where it is absent.

    Raises:
        OpenAIError: it is none.
    """
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise wrong(name, f"expected a string, got {value!r:.60}.", code="invalid_type")
    return value


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


def mapping(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an object; an empty one where it is absent.

    Raises:
        OpenAIError: it is none.
    """
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong(name, f"expected an object, got {value!r:.60}.", code="invalid_type")
    return value
