"""Turn pydantic's complaint about `local:` into one of ours: where, expected, found, next step.

A table of the complaints these sections can cause; another kind is said in pydantic's words.
Sources: pydantic, list of validation errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe.wording import Keys, described, did_you_mean, dotted

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a string",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "finite_number": "a finite number",
    "literal_error": "{expected}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "string_too_short": "at least {min_length} character",
    "string_pattern_mismatch": "auto, cpu, mps, cuda or cuda:N",
}


def complain(
    details: Mapping[str, Any], *, model: type[BaseModel], where: str, under: Keys = ("local",)
) -> RecipeError:
    """Build the error for the first of pydantic's complaints; the model stands `under` a key."""
    keys: Keys = tuple(details["loc"])
    path, last, kind = dotted((*under, *keys)), str(keys[-1]), details["type"]
    if kind == "extra_forbidden":
        known = _names(model, keys[:-1])
        what, expected, found = "unknown key", "one of " + ", ".join(known), last
        hint = did_you_mean(last, known)
    elif kind == "missing":
        what, expected, found, hint = "missing key", last, "nothing", None
    else:
        what = "wrong type" if kind.endswith("_type") else "unusable value"
        said = _EXPECTED.get(kind)
        expected = said.format(**details.get("ctx", {})) if said else details["msg"]
        found, hint = described(details["input"]), _hint(kind, details)
    return RecipeError(f"{what} {path}", where=where, expected=expected, found=found, hint=hint)


def _hint(kind: str, details: Mapping[str, Any]) -> str | None:
    found = details["input"]
    if kind == "literal_error" and isinstance(found, str):
        choices = details["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return did_you_mean(found, choices)
    if kind in {"int_type", "float_type"} and isinstance(found, str):
        return "a number in quotes is a string"
    return None


def _names(model: type[BaseModel], keys: Keys) -> list[str]:
    walked = iter(keys)
    for key in walked:
        model, has_entries = _section(model, str(key))
        if has_entries:
            next(walked, None)  # the name or number of the entry
    return [field.alias or name for name, field in model.model_fields.items()]


def _section(model: type[BaseModel], key: str) -> tuple[type[BaseModel], bool]:
    """Return the model under a key, and whether the key holds entries of it."""
    for name, field in model.model_fields.items():
        if key == (field.alias or name):
            kinds = [field.annotation, *get_args(field.annotation)]
            found = next(
                kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)
            )
            return found, get_origin(field.annotation) in (dict, list, tuple)
    raise KeyError(key)
