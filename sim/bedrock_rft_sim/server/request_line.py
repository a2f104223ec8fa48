"""A request line: path and query as they were sent, and the AWS operation that they mean.

Sources: ASGI (`raw_path`, `query_string`); botocore service models.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final
from urllib.parse import unquote

from starlette.types import Scope

from bedrock_rft_sim.recipe.dialects.service_model import service_model

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
    """Return the operation a request line means, and its path's parts; None where it is none."""
    path, parts = raw_path(scope), set(query_of(scope).split("&"))
    for method, pattern, fixed, name in _routes(service):
        match = pattern.fullmatch(path) if method == scope["method"] else None
        if match and fixed <= parts:
            return name, {key: unquote(text) for key, text in match.groupdict().items()}
    return None, {}


@cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], set[str], str]]:
    """Return method, pattern, fixed query and operation, the most literal path first."""
    model = service_model(service)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path, _, query = http["requestUri"].partition("?")
        path = path.rstrip("/") or "/"
        fixed = {part for part in query.split("&") if part}
        rank = (path.count("{"), -len(fixed))
        found.append((rank, (http["method"], _pattern(path), fixed, name)))
    return [route for _, route in sorted(found, key=lambda one: one[0])]


def _pattern(path: str) -> re.Pattern[str]:
    text, end = "", 0
    for label in _LABEL.finditer(path):
        piece = ".+" if label[2] else "[^/]+"
        text += re.escape(path[end : label.start()]) + f"(?P<{label[1]}>{piece})"
        end = label.end()
    return re.compile(text + re.escape(path[end:]) + "/?")
