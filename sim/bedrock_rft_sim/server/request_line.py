"""A request's path and query as they were sent, still percent-encoded.

Sources: ASGI (`raw_path`, `query_string`).
"""

from __future__ import annotations

from starlette.types import Scope


def raw_path(scope: Scope) -> str:
    """Return the path."""
    path: bytes = scope["raw_path"]
    return path.decode("latin-1").partition("?")[0]


def query_of(scope: Scope) -> str:
    """Return the query."""
    query: bytes = scope["query_string"]
    return query.decode("latin-1")
