"""Which ranges mean fractions, asked of the settings that they belong to."""

from __future__ import annotations

import pytest
from bedrock_rft_sim.recipe import load_recipe
from bedrock_rft_sim.sweep.file import Axis, Range
from bedrock_rft_sim.sweep.kinds import typed

from tests.sweep.conftest import BATCH, RATE, SAMPLES

FRACTIONS = {
    "quickstart": [
        RATE,
        "local.training.klCoefficient",
        "local.overrides.learningRate",
        "local.earlyStopping.minGain",
    ],
    "gsm8k-open-weight": [
        "method.reinforcement.hyperparameters.learning_rate_multiplier",
        "local.overrides.learning_rate_multiplier",
    ],
}
WHOLE = {
    "quickstart": [BATCH, SAMPLES, "local.maxSteps", "local.lambda.timeout", "local.unknown.x"],
    "gsm8k-open-weight": [
        "method.reinforcement.hyperparameters.batch_size",
        "method.reinforcement.hyperparameters.unknown.x",
        "model.x",
    ],
}


def pairs(known: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(recipe, path) for recipe, paths in known.items() for path in paths]


@pytest.mark.parametrize(("recipe", "path"), pairs(FRACTIONS))
def test_whole_ends_of_a_setting_that_takes_fractions_mean_everything_between(
    recipe: str, path: str
):
    found = typed(Axis(path, Range(0, 1, log=False), 1), load_recipe(recipe)).values
    assert isinstance(found, Range)
    assert not found.whole
    assert (found.low, found.high) == (0, 1)


@pytest.mark.parametrize(("recipe", "path"), pairs(WHOLE))
def test_a_whole_setting_and_an_unknown_one_keep_the_ends_as_written(recipe: str, path: str):
    axis = Axis(path, Range(1, 4, log=False), 1)
    assert typed(axis, load_recipe(recipe)) is axis


def test_a_list_stays_as_it_is():
    axis = Axis(RATE, (0, 1), 1)
    assert typed(axis, load_recipe("quickstart")) is axis
