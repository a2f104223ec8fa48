"""Experiment trackers: the names TRL takes under `report_to`, and whether their packages are here.

Source: transformers, `INTEGRATION_TO_CALLBACK`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal

from bedrock_rft_sim.errors import RecipeError

if TYPE_CHECKING:
    from bedrock_rft_sim.recipe.recipe import Recipe

Tracker = Literal[
    "azure_ml", "clearml", "codecarbon", "comet_ml", "dagshub", "dvclive", "flyte", "kubeflow",
    "mlflow", "neptune", "swanlab", "tensorboard", "trackio", "wandb",
]  # fmt: skip
MODULES: Final[dict[Tracker, str]] = {"azure_ml": "azureml", "flyte": "flytekit"}
"""Where the package is not called like the tracker."""


def demand_trackers(recipe: Recipe) -> None:
    """Refuse a tracker whose package is not installed.

    Raises:
        RecipeError: there is one.
    """
    for name in recipe.local.reportTo:
        module = MODULES.get(name, name)
        if find_spec(module) is None:
            raise RecipeError(
                f"the tracker {name} is not installed",
                where=recipe.where("local.reportTo"),
                expected="a tracker whose package is here; the run folder keeps everything anyway",
                found=f"no package {module}",
                hint=f"install {module}, or leave {name} out",
            )
