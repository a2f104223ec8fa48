"""Whether a setting takes fractions, asked of the setting itself.

A range whose ends are written as whole numbers means whole numbers only, unless the setting it
belongs to takes fractions: `{low: 0, high: 1}` of a weight is everything between. Sources: botocore
service model bedrock/2023-04-20; `bedrock_rft_sim.recipe.dialects.openai`;
`bedrock_rft_sim.recipe.local`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, get_args

from pydantic import BaseModel

from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.recipe.dialects import openai
from bedrock_rft_sim.recipe.dialects.service_model import input_shape
from bedrock_rft_sim.sweep.file import Axis, Range

LOCAL: Final = "local"
FRACTIONS: Final = ("float", "double")


def typed(axis: Axis, recipe: Recipe) -> Axis:
    """Write the ends of a range as fractions where the setting takes fractions."""
    values = axis.values
    if not isinstance(values, Range) or not values.whole or not _takes_fractions(axis, recipe):
        return axis
    return replace(axis, values=replace(values, low=float(values.low), high=float(values.high)))


def _takes_fractions(axis: Axis, recipe: Recipe) -> bool:
    """Whether the path leads to a known setting that is no whole number."""
    first, *rest = axis.path.split(".")
    if first == LOCAL:
        return _in_model(type(recipe.local), rest)
    if recipe.dialect == openai.NAME:
        return _in_fields([first, *rest])
    return _in_shape([first, *rest])


def _in_model(model: type[BaseModel], keys: Sequence[str]) -> bool:
    kinds: Sequence[Any] = (model,)
    for key in keys:
        below = [_annotation(kind, key) for kind in kinds if _is_model(kind)]
        kinds = [each for found in below for each in (get_args(found) or (found,))]
    return float in kinds


def _annotation(model: type[BaseModel], key: str) -> Any:
    for name, known in model.model_fields.items():
        if key == (known.alias or name):
            return known.annotation
    return None


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _in_fields(keys: Sequence[str]) -> bool:
    below = openai.FIELDS
    for key in keys[:-1]:
        found = below.get(key)
        if found is None or found.members is None:
            return False
        below = dict(found.members)
    last = below.get(keys[-1])
    return last is not None and last.kind == "number"


def _in_shape(keys: Sequence[str]) -> bool:
    shape = input_shape("bedrock", "CreateModelCustomizationJob")
    for key in keys:
        shape = getattr(shape, "members", {}).get(key)
        if shape is None:
            return False
    return shape.type_name in FRACTIONS
