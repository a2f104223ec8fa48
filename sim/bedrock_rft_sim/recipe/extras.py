"""Extras: the packages that some settings need and most installations do without."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bedrock_rft_sim.errors import RecipeError

if TYPE_CHECKING:
    from bedrock_rft_sim.recipe.recipe import Recipe


def demand_extras(recipe: Recipe) -> None:
    """Refuse a setting whose package is not installed.

    Raises:
        RecipeError: there is one.
    """
    for setting, package, extra in _wanted(recipe):
        if find_spec(package) is None:
            raise RecipeError(
                f"{setting} needs the package {package}",
                where=recipe.where(setting),
                expected=f"{package}, which the extra {extra} brings",
                found=f"no package {package}",
                hint=f"pip install 'bedrock-rft-sim[{extra}]'",
            )


def _wanted(recipe: Recipe) -> Iterator[tuple[str, str, str]]:
    """Yield each such setting with its package and the extra that brings it."""
    if recipe.settings.quantization is not None:
        yield "local.training.quantization", "bitsandbytes", "qlora"
