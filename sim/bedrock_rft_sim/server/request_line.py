"""A request line: path and query as they were sent, and the AWS operation that they mean.

Services of AWS's JSON protocol name it in a header instead.

Sources: ASGI (`raw_path`, `query_string`); botocore service models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final
from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.types import Scope

from bedrock_rft_sim.recipe.dialects.service_model import Shape, service_model

_TARGET: Final = "x-amz-target"
_LABEL: Final = re.compile(r"\{(\w+)(\+?)\}")


def raw_path(scope: Scope) -> str:
    """Return the path, still percent-encoded."""
    path: bytes = scope["raw_path"]
    return path.decode("latin-1").partition("?")[0]


def query_of(scope: Scope) -> str:
    """Return the query, still percent-encoded."""
    query: bytes = scope["query_string"]
    return query.decode("latin-1")


def operation_at(service: str, scope: Scope) -> tuple[str | None, dict[str, str]]:
    """Return the operation a request means, and its path's parts; None where it is none.

    S3 has several at one path, which differ in what they demand of the query and the headers.
    """
    model = service_model(service)
    if model.metadata["protocol"] == "json":
        _, _, target = Headers(scope=scope).get(_TARGET, "").rpartition(".")
        return (target if target in model.operation_names else None), {}
    path, parts = raw_path(scope), set(query_of(scope).split("&"))
    matches = [
        (route, match)
        for route in _routes(service)
        if route.method == scope["method"]
        and route.fixed <= parts
        and (match := route.pattern.fullmatch(path))
    ]
    if len(matches) > 1:
        said = {part.partition("=")[0] for part in parts} | set(Headers(scope=scope).keys())
        matches = [each for each in matches if each[0].demanded <= said] or matches
    for route, match in matches:
        return route.name, {key: unquote(text) for key, text in match.groupdict().items()}
    return None, {}


@dataclass(frozen=True, slots=True)
class _Route:
    """Where an operation is found."""

    name: str
    method: str
    pattern: re.Pattern[str]
    fixed: set[str]
    """Parts of the query, word for word."""
    demanded: set[str]
    """Names of required parts of the query and of required headers."""


@cache
def _routes(service: str) -> list[_Route]:
    """Return the operations, the most literal path first, then the most demanding."""
    model = service_model(service)
    found = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        path, _, query = operation.http["requestUri"].partition("?")
        path = path.rstrip("/") or "/"
        fixed = {part for part in query.split("&") if part}
        demanded = _demanded(operation.input_shape)
        rank = (path.count("{"), -len(fixed), -len(demanded))
        route = _Route(name, operation.http["method"], _pattern(path), fixed, demanded)
        found.append((rank, route))
    return [route for _, route in sorted(found, key=lambda one: one[0])]


def _demanded(shape: Shape | None) -> set[str]:
    members = [] if shape is None else [shape.members[name] for name in shape.required_members]
    return {
        member.serialization["name"].lower() if place == "header" else member.serialization["name"]
        for member in members
        if (place := member.serialization.get("location")) in ("header", "querystring")
    }


def _pattern(path: str) -> re.Pattern[str]:
    text, end = "", 0
    for label in _LABEL.finditer(path):
        piece = ".+" if label[2] else "[^/]+"
        text += re.escape(path[end : label.start()]) + f"(?P<{label[1]}>{piece})"
        end = label.end()
    return re.compile(text + re.escape(path[end:]) + "/?")
