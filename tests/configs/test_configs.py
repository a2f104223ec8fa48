from pathlib import Path

import pytest

from bedrock_rft_sim.recipe import load_recipe
from bedrock_rft_sim.recipe.shipped import shipped_recipes

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
FILES = sorted(CONFIGS.glob("*.yaml"))


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def config(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_every_config_is_a_recipe_that_bedrock_would_take(config):
    recipe = load_recipe(config)
    assert recipe.refusals == ()
    assert recipe.payload() == recipe.request


def test_line_one_is_a_sentence_and_line_two_the_command_that_runs_it(config):
    sentence, command = config.read_text().splitlines()[:2]
    assert sentence.startswith("# ")
    assert sentence.endswith(".")
    assert command in (f"# rft run configs/{config.name}", f"# rft run {config.stem}")


def test_line_three_names_the_schema_for_editors(config):
    prefix, _, schema = config.read_text().splitlines()[2].partition("$schema=")
    assert prefix == "# yaml-language-server: "
    assert (config.parent / schema).is_file()


def test_no_line_is_longer_than_a_hundred_columns(config):
    assert max(len(line) for line in config.read_text().splitlines()) <= 100


def test_every_config_is_shipped_under_its_bare_name(config):
    assert shipped_recipes()[config.stem] == config
    assert load_recipe(config.stem).recipe_hash == load_recipe(config).recipe_hash


def test_the_nova_config_has_the_published_notebook_s_hyperparameters():
    recipe = load_recipe("gsm8k-nova")
    assert recipe.request["customizationConfig"]["rftConfig"]["hyperParameters"] == {
        "batchSize": 32,
        "epochCount": 1,
        "evalInterval": 10,
        "inferenceMaxTokens": 750,
        "learningRate": 5e-05,
        "maxPromptLength": 310,
        "reasoningEffort": "high",
        "trainingSamplePerPrompt": 4,
    }
    assert recipe.overrides == {}


def test_the_open_weight_config_gives_the_published_run_s_arithmetic():
    recipe = load_recipe("gsm8k-open-weight")
    settings = recipe.settings
    assert recipe.training_source.count == 300
    training = 300 - round(300 * settings.validation_split)
    steps = training // settings.batch_size * settings.epochs
    assert steps == 67
    assert [*range(settings.checkpoint_interval, steps, settings.checkpoint_interval), steps] == [
        20,
        40,
        60,
        67,
    ]
    assert settings.rollouts_per_step == 32


@pytest.mark.parametrize("name", ["gsm8k-small-gpu", "gsm8k-cpu"])
def test_what_a_small_machine_changes_stays_out_of_the_payload(name):
    published = load_recipe("gsm8k-nova").payload()["customizationConfig"]
    recipe = load_recipe(name)
    assert recipe.payload()["customizationConfig"] == published
    assert recipe.settings.batch_size == recipe.overrides["batchSize"] < 32
