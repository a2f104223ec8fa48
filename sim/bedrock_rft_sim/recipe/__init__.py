"""Read, check and freeze a recipe: the request word for word, plus what stays at home.

Deliberately sends nothing anywhere and opens no data file: a recipe can be understood offline.
Sources: the request dialects in `bedrock_rft_sim.recipe.dialects`; the `local:` section is this
project's own.
"""

from bedrock_rft_sim.contract.knobs import Settings
from bedrock_rft_sim.recipe.load import load_recipe, parse_recipe, recipe_of
from bedrock_rft_sim.recipe.recipe import BuiltInData, Recipe
from bedrock_rft_sim.recipe.shipped import find_reward

__all__ = [
    "BuiltInData",
    "Recipe",
    "Settings",
    "find_reward",
    "load_recipe",
    "parse_recipe",
    "recipe_of",
]
