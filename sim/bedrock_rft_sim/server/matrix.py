"""What the endpoint simulates and what not, read from botocore's operations and the route tables.

Three words: simulated; accepted and ignored (it answers, and nothing depends on it); not simulated
(it answers so, in the service's own error form).
Sources: botocore service models; the tables of handlers and routes themselves.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from bedrock_rft_sim.recipe.dialects.service_model import service_model
from bedrock_rft_sim.server import routes
from bedrock_rft_sim.server.request_line import operation_at
from bedrock_rft_sim.server.state import ServerState

Support = Literal["simulated", "accepted and ignored", "not simulated"]
ACCEPTED: Final = {"lambda": frozenset({"AddPermission"})}
MANTLE: Final = "bedrock-mantle (OpenAI)"
_BRACES = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True, slots=True)
class SupportedOperation:
    """One operation of one service."""

    service: str
    operation: str
    support: Support


def support_matrix(state: ServerState) -> list[SupportedOperation]:
    """Return each operation of Bedrock, its runtime, Lambda, Logs and bedrock-mantle."""
    simulated: dict[str, Collection[str | None]] = {
        "bedrock": set(routes.bedrock_operations(state)),
        "bedrock-runtime": _runtime_operations(state),
        "lambda": set(routes.lambda_operations(state)),
        "logs": set(routes.logs_operations(state)),
    }
    found = [
        SupportedOperation(service, name, _support(service, name, names))
        for service, names in simulated.items()
        for name in service_model(service).operation_names
    ]
    return found + [SupportedOperation(MANTLE, path, "simulated") for path in _paths(state)]


def _support(service: str, operation: str, simulated: Collection[str | None]) -> Support:
    if operation not in simulated:
        return "not simulated"
    return "accepted and ignored" if operation in ACCEPTED.get(service, ()) else "simulated"


def _runtime_operations(state: ServerState) -> set[str | None]:
    """Return the operations that botocore's model has at the paths of the routes."""
    paths = (_BRACES.sub("x", route.path) for route in routes.runtime_routes(state))
    line = {"method": "POST", "query_string": b""}
    return {
        operation_at("bedrock-runtime", {**line, "raw_path": path.encode()})[0] for path in paths
    }


def _paths(state: ServerState) -> list[str]:
    """Return `METHOD path` of each of bedrock-mantle's routes, HEAD left out."""
    return sorted(
        f"{method} {route.path}"
        for route in routes.mantle_routes(state)
        for method in (route.methods or ())
        if method != "HEAD" and route.path.startswith("/v1/")
    )
