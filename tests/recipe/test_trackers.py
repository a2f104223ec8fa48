"""Experiment trackers are known by TRL's names, and refused where their package is not here."""

from __future__ import annotations

from typing import get_args

import pytest

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe import load_recipe, trackers


def test_a_tracker_that_is_not_known_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(RecipeError, match="reportTo") as raised:
        load_recipe("quickstart", sets=["local.reportTo=[wandbb]"])
    assert "wandb" in str(raised.value)


def test_a_tracker_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda _: None)
    recipe = load_recipe("quickstart", sets=["local.reportTo=[azure_ml]"])
    with pytest.raises(RecipeError, match="the tracker azure_ml is not installed") as raised:
        trackers.demand_trackers(recipe)
    assert raised.value.found == "no package azureml"


def test_the_names_are_those_that_transformers_knows() -> None:
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    assert set(get_args(trackers.Tracker)) == set(INTEGRATION_TO_CALLBACK)


def test_mlflow_on_sagemaker_is_refused_without_its_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_recipe("quickstart", sets=["local.reportTo=[mlflow]"])
    here = {"mlflow"}
    monkeypatch.setattr(trackers, "find_spec", lambda name: name in here or None)
    arn = "arn:aws:sagemaker:us-east-1:123456789012:mlflow-tracking-server/ours"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", arn)
    with pytest.raises(RecipeError, match="needs a plugin") as raised:
        trackers.demand_trackers(recipe)
    assert raised.value.hint == "pip install sagemaker-mlflow"
    here.add("sagemaker_mlflow")
    trackers.demand_trackers(recipe)
    here.remove("sagemaker_mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.com")
    trackers.demand_trackers(recipe)
