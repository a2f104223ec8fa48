"""From a checked request to the recipe that rehearses it, whichever API it came through."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bedrock_rft_sim.jobs import Job, warnings_of
from bedrock_rft_sim.recipe import parse_recipe
from bedrock_rft_sim.recipe.dialects import DialectName
from bedrock_rft_sim.server.lambda_.runner import Deployed
from bedrock_rft_sim.server.left_out import data_remarks
from bedrock_rft_sim.server.state import ServerState


def rehearsal_of(
    state: ServerState, dialect: DialectName, request: Mapping[str, Any], local: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return the recipe, and remarks on what differs from the request.

    `local` names data and reward, the mapping decides the rest.

    Raises:
        RecipeError: what would end the job in its first second, such as a bad override, or leave
            next to nothing to train on.
    """
    stand_in = state.mapping.of_request(dialect, request)
    recipe = {**request, "local": {**stand_in.local(dialect, request), **local}}
    path = state.root / "recipes" / "job.yaml"
    checked = parse_recipe(json.dumps(recipe), name="the job", path=path)
    return recipe, stand_in.remarks(dialect, request) + data_remarks(checked)


def told(job: Job) -> list[str]:
    """Return what a client must know of a job: what differs from its request, and warnings."""
    remarks = (
        job.bedrock.remarks
        if job.kind == "bedrock"
        else [event["message"] for event in job.openai.remark_events]
    )
    said = [remark.removeprefix("rehearsal: ") for remark in remarks]
    known = {remark.removeprefix("warning: ") for remark in said}
    return said + [warning for warning in warnings_of(job.folder) if warning not in known]


def reward_of(function: Deployed) -> dict[str, Any]:
    """Return the reward's part of `local:` for a function."""
    settings: dict[str, Any] = {"timeout": function.timeout_s, "memorySize": function.memory_mb}
    if function.environment:
        settings["environment"] = function.environment
    return {"reward": str(function.code), "handler": function.handler, "lambda": settings}
