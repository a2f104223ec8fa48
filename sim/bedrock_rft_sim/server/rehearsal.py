"""From a checked request to the recipe that rehearses it, whichever API it came through."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bedrock_rft_sim.recipe import parse_recipe
from bedrock_rft_sim.recipe.dialects import DialectName
from bedrock_rft_sim.server.lambda_.runner import Deployed
from bedrock_rft_sim.server.state import ServerState


def recipe_of(
    state: ServerState, dialect: DialectName, request: Mapping[str, Any], local: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the recipe; `local` names data and reward, the mapping decides the rest.

    Raises:
        RecipeError: what would end the job in its first second, such as a bad override.
    """
    decided = state.mapping.of_request(dialect, request).local(dialect, request)
    recipe = {**request, "local": {**decided, **local}}
    parse_recipe(json.dumps(recipe), name="the job", path=state.root / "recipes" / "job.yaml")
    return recipe


def reward_of(function: Deployed) -> dict[str, Any]:
    """Return the reward's part of `local:` for a function."""
    settings: dict[str, Any] = {"timeout": function.timeout_s, "memorySize": function.memory_mb}
    if function.environment:
        settings["environment"] = function.environment
    return {"reward": str(function.code), "handler": function.handler, "lambda": settings}
