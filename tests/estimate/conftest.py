"""A recipe whose arithmetic can be done by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.estimate import JobEstimate, Measured, estimate
from bedrock_rft_sim.estimate.money import price_list
from bedrock_rft_sim.recipe import Recipe, load_recipe

KNOBS = "customizationConfig.rftConfig.hyperParameters"


@pytest.fixture
def recipe_of(write_rows: Callable[..., Path]) -> Callable[..., Recipe]:
    """Return a function that makes a recipe of 200 records, 16 prompts x 4 answers a step."""

    def make(*sets: str, rows: int = 200) -> Recipe:
        return load_recipe(
            "quickstart",
            sets=[
                f"local.trainingData={write_rows(rows, 'train.jsonl')}",
                f"local.validationData={write_rows(32, 'validation.jsonl')}",
                f"{KNOBS}.batchSize=16",
                f"{KNOBS}.trainingSamplePerPrompt=4",
                f"{KNOBS}.epochCount=2",
                f"{KNOBS}.inferenceMaxTokens=100",
                f"{KNOBS}.evalInterval=12",
                *sets,
            ],
        )

    return make


@pytest.fixture
def estimated() -> Callable[..., JobEstimate]:
    """Return a function that estimates a recipe as the command line does."""

    def make(recipe: Recipe, measured: Measured | None = None, **options: object) -> JobEstimate:
        data = plan.read_data(recipe, load_tokenizer(recipe.model))
        steps = plan.steps(len(data.train), recipe.settings, validates=bool(data.validation))
        prices = price_list(stated=list(options.pop("price", [])))  # type: ignore[call-overload]
        return estimate(recipe, data, steps, measured, prices=prices, **options)  # type: ignore[arg-type]

    return make
