"""Packages that some settings need and most installations do without.

vLLM comes with TRL's own extra, which knows the versions that it works with; one of ours would hold
everybody's numpy back.
"""

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
    for setting, package, source in _wanted(recipe):
        if find_spec(package) is None:
            raise RecipeError(
                f"{setting} needs the package {package}",
                where=recipe.where(setting),
                expected=f"{package}, which {source} brings",
                found=f"no package {package}",
                hint=f"pip install '{source}'",
            )


def _wanted(recipe: Recipe) -> Iterator[tuple[str, str, str]]:
    """Yield each such setting with its package and what is installed to have it."""
    if recipe.settings.quantization is not None:
        yield "local.training.quantization", "bitsandbytes", "bedrock-rft-sim[qlora]"
    if recipe.local.engine == "vllm":
        yield "local.engine", "vllm", "trl[vllm]>=1.16.0,<1.17"
