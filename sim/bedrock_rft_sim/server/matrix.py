"""What the endpoint simulates and what not, read from botocore's operations and the route tables.

Three words: simulated; accepted and ignored (it answers, and nothing depends on it); not simulated
(it answers so, in the service's own error form).
Sources: botocore service models; the tables of handlers and routes themselves.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from starlette.routing import Route

from bedrock_rft_sim.recipe.dialects.service_model import service_model
from bedrock_rft_sim.server import routes
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
    """Return each operation of Bedrock, its runtime, Lambda and bedrock-mantle."""
    simulated = {
        "bedrock": set(routes.bedrock_operations(state)),
        "bedrock-runtime": _runtime_operations(routes.runtime_routes(state)),
        "lambda": set(routes.lambda_operations(state)),
    }
    found = [
        SupportedOperation(service, name, _support(service, name, names))
        for service, names in simulated.items()
        for name in service_model(service).operation_names
    ]
    paths = [path for path in _paths(routes.mantle_routes(state)) if " /v1/" in path]
    return found + [SupportedOperation(MANTLE, path, "simulated") for path in paths]


def _support(service: str, operation: str, simulated: Container[str]) -> Support:
    if operation not in simulated:
        return "not simulated"
    return "accepted and ignored" if operation in ACCEPTED.get(service, ()) else "simulated"


def _runtime_operations(routes: Iterable[Route]) -> set[str]:
    model = service_model("bedrock-runtime")
    http = {name: model.operation_model(name).http for name in model.operation_names}
    wanted = {f"{one['method']} {_shape(one['requestUri'])}": name for name, one in http.items()}
    paths = {_BRACES.sub("{}", path) for path in _paths(routes)}
    return {name for path, name in wanted.items() if path in paths}


def _shape(path: str) -> str:
    return _BRACES.sub("{}", path.partition("?")[0])


def _paths(routes: Iterable[Route]) -> list[str]:
    """Return `METHOD path` of each route, HEAD left out."""
    return sorted(
        f"{method} {route.path}"
        for route in routes
        for method in (route.methods or ())
        if method != "HEAD"
    )
