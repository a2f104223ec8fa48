"""A reward by the name that a person types: a shipped one, or a path."""

from __future__ import annotations

from pathlib import Path

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.grader.package import FORMS
from bedrock_rft_sim.recipe import find_reward
from bedrock_rft_sim.recipe.shipped import is_bare


def find(text: str) -> Path:
    """Return the reward's file or folder.

    Raises:
        RecipeError: nothing of that name is shipped, or there is no such file.
    """
    if is_bare(text):
        return find_reward(text)
    path = Path(text).expanduser()
    if not path.exists():
        raise RecipeError("there is no such reward", expected=FORMS, found=text)
    return path
