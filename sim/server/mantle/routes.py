"""The table of what bedrock-mantle's paths lead to; everything else is not simulated, in words.

Sources: Bedrock user guide, fine-tuning-openai-apis; openai Python library (paths).
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sim.server.inference import models_of
from sim.server.mantle.errors import not_simulated
from sim.server.mantle.fine_tuning import FineTuning
from sim.server.mantle.graders import Graders
from sim.server.mantle.http import Endpoint, refusing
from sim.server.mantle.inference import Inference
from sim.server.state import ServerState

PREFIXES: Final = ("/v1", "")
"""With it and without: clients differ in what they call the base URL."""
METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def operations(state: ServerState) -> list[tuple[str, str, Endpoint]]:
    """Return method, path and endpoint of every operation that is simulated."""
    tuning, graders = FineTuning(state), Graders(state)
    inference = Inference(state, models_of(state))
    jobs, job = "/fine_tuning/jobs", "/fine_tuning/jobs/{job_id}"
    return [
        ("POST", "/files", tuning.create_file),
        ("GET", "/files", tuning.list_files),
        ("GET", "/files/{file_id}", tuning.get_file),
        ("GET", "/files/{file_id}/content", tuning.file_content),
        ("DELETE", "/files/{file_id}", tuning.delete_file),
        ("POST", jobs, tuning.create_job),
        ("GET", jobs, tuning.list_jobs),
        ("GET", job, tuning.get_job),
        ("POST", f"{job}/cancel", tuning.cancel_job),
        ("GET", f"{job}/events", tuning.list_events),
        ("GET", f"{job}/checkpoints", tuning.list_checkpoints),
        ("POST", "/fine_tuning/alpha/graders/run", graders.run),
        ("POST", "/fine_tuning/alpha/graders/validate", graders.validate),
        ("GET", "/models", tuning.list_models),
        ("GET", "/models/{model:path}", tuning.get_model),
        ("POST", "/chat/completions", inference.chat),
        ("POST", "/responses", inference.responses),
    ]


def routes(state: ServerState) -> list[BaseRoute]:
    """Return the routes, with and without /v1, and the refusal of all other paths."""
    found: list[BaseRoute] = [
        Route(f"{prefix}{path}", refusing(endpoint), methods=[method])
        for prefix in PREFIXES
        for method, path, endpoint in operations(state)
    ]
    return [*found, Route("/{path:path}", refusing(_refuse), methods=METHODS)]


async def _refuse(request: Request) -> Response:
    raise not_simulated(request.method, request.url.path[:200])
