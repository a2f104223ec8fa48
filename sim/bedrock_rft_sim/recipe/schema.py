"""A recipe's JSON Schema, for editors: the request's keys in both dialects, and `local:`.

Ranges are Bedrock's where a request is concerned: an editor then marks what Bedrock would refuse,
although some of it can be rehearsed.
Deliberately leaves out patterns, Regions and models, which `rft check` judges with their sources.
Sources: botocore service model bedrock/2023-04-20; the table of `recipe.dialects.openai`; the
models of `recipe.local`; descriptions from the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from bedrock_rft_sim.contract.knobs import (
    HYPERPARAMETERS_PATH,
    KNOBS,
    DialectName,
    hyperparameters,
)
from bedrock_rft_sim.contract.ledger import rows_for
from bedrock_rft_sim.recipe.dialects import bedrock, openai
from bedrock_rft_sim.recipe.dialects.field_table import TYPES, Field
from bedrock_rft_sim.recipe.dialects.service_model import KINDS, Shape, input_shape
from bedrock_rft_sim.recipe.local import LOCAL_MODELS

Schema = dict[str, Any]

_TYPES: dict[object, str] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    (int, float): "number",
}
_BOUNDS = {
    "structure": ("minProperties", "maxProperties"),
    "map": ("minProperties", "maxProperties"),
    "list": ("minItems", "maxItems"),
    "string": ("minLength", "maxLength"),
}

_ONE_CHOICE = {"minProperties": 1, "maxProperties": 1}


def json_schema() -> Schema:
    """Build the schema of a whole recipe."""
    dialects = [(model, "validation") for model in LOCAL_MODELS.values()]
    found, local = models_json_schema(dialects, by_alias=True)  # type: ignore[arg-type]
    whole = input_shape("bedrock", "CreateModelCustomizationJob")
    requests = {"bedrock": _of_shape(whole, path=""), "openai": _of_fields(openai.FIELDS, path="")}
    requests["bedrock"]["required"] += ["customizationType", "customizationConfig"]
    of_nova = requests["bedrock"]["properties"]
    of_nova["customizationType"]["enum"] = [bedrock.TYPE]
    of_nova["trainingDataConfig"] |= _ONE_CHOICE
    of_nova["customizationConfig"]["required"] = ["rftConfig"]
    of_nova["customizationConfig"]["properties"]["rftConfig"]["required"] = ["graderConfig"]
    for request, own in zip(requests.values(), found.values(), strict=True):
        request["properties"]["local"] = own
        request["required"].append("local")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Recipe of bedrock-rft-sim",
        "anyOf": list(requests.values()),
        **local,
    }


def _of_shape(shape: Shape, *, path: str) -> Schema:
    kind = shape.type_name
    schema: Schema = {"type": _TYPES[KINDS[kind][0]], **_described("bedrock", path)}
    least, most = _BOUNDS.get(kind, ("minimum", "maximum"))
    bounds = {least: shape.metadata.get("min"), most: shape.metadata.get("max")}
    schema |= {name: value for name, value in bounds.items() if value is not None}
    if shape.metadata.get("union"):
        schema |= _ONE_CHOICE
    if kind == "structure":
        members = {
            name: _of_shape(each, path=_below(path, name)) for name, each in shape.members.items()
        }
        return schema | _closed(members, list(shape.required_members))
    if kind == "list":
        return schema | {"items": _of_shape(shape.member, path="")}
    if kind == "map":
        return schema | {"additionalProperties": _of_shape(shape.value, path="")}
    schema = _floor("bedrock", path) | schema  # the service's own minimum is no lower
    choices = shape.metadata.get("enum")
    return schema | {"enum": list(choices)} if choices else schema


def _of_fields(fields: Mapping[str, Field], *, path: str) -> Schema:
    members = {name: _of_field(each, path=_below(path, name)) for name, each in fields.items()}
    required = [name for name, each in fields.items() if each.required]
    return {"type": "object", **_closed(members, required)}


def _of_field(field: Field, *, path: str) -> Schema:
    schema: Schema = {"type": _TYPES[TYPES[field.kind]], **_described("openai", path)}
    schema |= _floor("openai", path)
    if field.members is not None:
        schema |= _of_fields(field.members, path=path)
    return schema | {"enum": list(field.choices)} if field.choices else schema


def _closed(members: Schema, required: list[str]) -> Schema:
    return {"properties": members, "required": required, "additionalProperties": False}


def _floor(dialect: DialectName, path: str) -> Schema:
    """Return below what a hyperparameter can't be rehearsed; Bedrock's own bound may be higher."""
    place, _, name = path.rpartition(".")
    inner = hyperparameters(dialect).get(name) if place == HYPERPARAMETERS_PATH[dialect] else None
    bounds = KNOBS[inner].bounds if inner else {}
    named = {"minimum": bounds.get("ge"), "exclusiveMinimum": bounds.get("gt")}
    return {name: value for name, value in named.items() if value is not None}


def _described(dialect: str, path: str) -> Schema:
    known = {row.knob: row for row in rows_for(dialect)}.get(path)
    return {"description": f"Here: {known.rehearsal} ({known.fidelity})."} if known else {}


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
