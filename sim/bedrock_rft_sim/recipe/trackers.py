"""Experiment trackers: the names TRL takes under `report_to`, and whether their packages are here.

Sources: transformers, `INTEGRATION_TO_CALLBACK`; Amazon SageMaker AI developer guide, "Integrate
MLflow with your environment" (an ARN as tracking URI needs the plugin sagemaker-mlflow).
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal

from bedrock_rft_sim.errors import RecipeError

if TYPE_CHECKING:
    from bedrock_rft_sim.recipe.recipe import Recipe

Tracker = Literal[
    "azure_ml", "clearml", "codecarbon", "comet_ml", "dagshub", "dvclive", "flyte", "kubeflow",
    "mlflow", "neptune", "swanlab", "tensorboard", "trackio", "wandb",
]  # fmt: skip
OWN_NAMES: Final[tuple[Tracker, ...]] = ("mlflow", "tensorboard", "trackio", "wandb")
"""They get the metrics of metrics.jsonl under its names, the others TRL's log."""
MODULES: Final[dict[Tracker, str]] = {"azure_ml": "azureml", "flyte": "flytekit"}
"""Where the package is not called like the tracker."""
SAGEMAKER: Final = "sagemaker_mlflow"


def demand_trackers(recipe: Recipe) -> None:
    """Refuse a tracker whose package is not installed, or MLflow on SageMaker without its plugin.

    Raises:
        RecipeError: there is one.
    """
    needed = {name: MODULES.get(name, name) for name in recipe.local.reportTo}
    for name, module in needed.items():
        if find_spec(module) is None:
            raise RecipeError(
                f"the tracker {name} is not installed",
                where=recipe.where("local.reportTo"),
                expected="a tracker whose package is here; the run folder keeps everything anyway",
                found=f"no package {module}",
                hint=f"install {module}, or leave {name} out",
            )
    address = os.environ.get("MLFLOW_TRACKING_URI", "")
    if "mlflow" in needed and address.startswith("arn:") and find_spec(SAGEMAKER) is None:
        raise RecipeError(
            "MLflow on SageMaker needs a plugin that is not installed",
            where="MLFLOW_TRACKING_URI, which is an ARN",
            expected=f"the package {SAGEMAKER}, which signs what is sent",
            found=f"no package {SAGEMAKER}",
            hint="pip install sagemaker-mlflow",
        )
