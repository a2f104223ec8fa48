"""The recipe as the cloud would run it: without what this machine alone changes.

Deliberately keeps the rest of `local:`, the data, the reward and the seed.
Sources: none of its own.
"""

from __future__ import annotations

from dataclasses import replace

from bedrock_rft_sim.recipe.local import SharedOverrides
from bedrock_rft_sim.recipe.recipe import Recipe
from bedrock_rft_sim.recipe.resolve import resolve


def as_sent(recipe: Recipe) -> Recipe:
    """Return the recipe with the request's own settings, no override and no maxSteps applied."""
    unchanged = {"overrides": SharedOverrides(), "maxSteps": None}
    local = recipe.local.model_copy(update=unchanged)
    settings, provenance = resolve(recipe.dialect, recipe.request, local)
    return replace(recipe, local=local, settings=settings, provenance=provenance)
