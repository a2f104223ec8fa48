"""The table of what bedrock-mantle's paths lead to; everything else is not simulated, in words.

Sources: Bedrock user guide, fine-tuning-openai-apis; openai Python library (paths).
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bedrock_rft_sim.server.mantle.errors import not_simulated
from bedrock_rft_sim.server.mantle.fine_tuning import FineTuning
from bedrock_rft_sim.server.mantle.graders import Graders
from bedrock_rft_sim.server.mantle.http import Endpoint, refusing
from bedrock_rft_sim.server.mantle.inference import Inference
from bedrock_rft_sim.server.state import ServerState

PREFIXES: Final = ("/v1", "")
"""With it and without: clients differ in what they call the base URL."""
METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE"]


OPERATIONS: Final = (
    ("POST", "/files"),
    ("GET", "/files"),
    ("GET", "/files/{file_id}"),
    ("GET", "/files/{file_id}/content"),
    ("DELETE", "/files/{file_id}"),
    ("POST", "/fine_tuning/jobs"),
    ("GET", "/fine_tuning/jobs"),
    ("GET", "/fine_tuning/jobs/{job_id}"),
    ("POST", "/fine_tuning/jobs/{job_id}/cancel"),
    ("GET", "/fine_tuning/jobs/{job_id}/events"),
    ("GET", "/fine_tuning/jobs/{job_id}/checkpoints"),
    ("POST", "/fine_tuning/alpha/graders/run"),
    ("POST", "/fine_tuning/alpha/graders/validate"),
    ("GET", "/models"),
    ("GET", "/models/{model:path}"),
    ("POST", "/chat/completions"),
    ("POST", "/responses"),
)
"""Method and path of every operation that is simulated, in the order of the endpoints below."""


def _endpoints(state: ServerState) -> tuple[Endpoint, ...]:
    tuning, graders, inference = FineTuning(state), Graders(state), Inference(state)
    return (
        tuning.create_file,
        tuning.list_files,
        tuning.get_file,
        tuning.file_content,
        tuning.delete_file,
        tuning.create_job,
        tuning.list_jobs,
        tuning.get_job,
        tuning.cancel_job,
        tuning.list_events,
        tuning.list_checkpoints,
        graders.run,
        graders.validate,
        tuning.list_models,
        tuning.get_model,
        inference.chat,
        inference.responses,
    )


def routes(state: ServerState) -> list[BaseRoute]:
    """Return the routes, with and without /v1, and the refusal of all other paths."""
    found: list[BaseRoute] = [
        Route(f"{prefix}{path}", refusing(endpoint), methods=[method])
        for prefix in PREFIXES
        for (method, path), endpoint in zip(OPERATIONS, _endpoints(state), strict=True)
    ]
    return [*found, Route("/{path:path}", refusing(_refuse), methods=METHODS)]


async def _refuse(request: Request) -> Response:
    raise not_simulated(request.method, request.url.path[:200])
