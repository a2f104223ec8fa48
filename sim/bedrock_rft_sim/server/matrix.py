"""What the endpoint simulates and what not, read from botocore's operations and the route tables.

Three words: simulated; accepted and ignored (it answers, and nothing depends on it); not simulated
(it answers so, in the service's own error form).
Sources: botocore service models; the tables of handlers and routes themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from starlette.routing import Route

from bedrock_rft_sim.recipe.dialects.service_model import service_model
from bedrock_rft_sim.server.routes import (
    bedrock_operations,
    lambda_operations,
    mantle_routes,
    runtime_routes,
)
from bedrock_rft_sim.server.state import ServerState

Support = Literal["simulated", "accepted and ignored", "not simulated"]
ACCEPTED: Final = {"lambda": frozenset({"AddPermission"})}
BY_MOTO: Final = {
    "s3": "served by moto; buckets, keys and contents outlive a restart, versions and tags do not",
    "iam": "served by moto; kept, and never asked for a permission",
    "sts": "served by moto",
}
MANTLE: Final = "bedrock-mantle (OpenAI)"
_BRACES = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True, slots=True)
class SupportedOperation:
    """One operation of one service."""

    service: str
    operation: str
    support: Support


def support_matrix(state: ServerState) -> list[SupportedOperation]:
    """Return a row for each operation of Bedrock, its runtime, Lambda and bedrock-mantle."""
    rows = [*_of_model("bedrock", bedrock_operations(state))]
    rows += _of_model("bedrock-runtime", _runtime_operations(runtime_routes(state)))
    rows += _of_model("lambda", lambda_operations(state))
    paths = (path for path in _paths(mantle_routes(state)) if " /v1/" in path)
    return [*rows, *(SupportedOperation(MANTLE, path, "simulated") for path in paths)]


def as_markdown(rows: Iterable[SupportedOperation], *, every: bool = False) -> str:
    """Return the matrix as a Markdown table, one row for each service and word.

    What is not simulated is only counted, unless `every` operation is to be named.
    """
    found: dict[tuple[str, Support], list[str]] = {}
    for row in rows:
        found.setdefault((row.service, row.support), []).append(row.operation)
    lines = ["| Service | Support | Operations |", "|---|---|---|"]
    for (service, support), names in found.items():
        words = ", ".join(f"`{name}`" for name in sorted(names))
        if support == "not simulated" and not every:
            words = f"the other {len(names)}"
        lines.append(f"| {service} | {support} | {words} |")
    lines += [f"| {name} | simulated | {words} |" for name, words in BY_MOTO.items()]
    return "\n".join(lines) + "\n"


def _of_model(service: str, simulated: Iterable[str]) -> Iterator[SupportedOperation]:
    names = set(simulated)
    order: tuple[Support, ...] = ("simulated", "accepted and ignored", "not simulated")
    words: dict[str, Support] = {}
    for operation in service_model(service).operation_names:
        is_ignored = operation in ACCEPTED.get(service, ())
        simulated_word: Support = "accepted and ignored" if is_ignored else "simulated"
        words[operation] = simulated_word if operation in names else "not simulated"
    for word in order:
        yield from (
            SupportedOperation(service, name, word)
            for name, found in words.items()
            if found == word
        )


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
