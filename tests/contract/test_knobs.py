from dataclasses import fields, replace

import pytest

from bedrock_rft_sim.contract.knobs import KNOBS, Settings, defaults


@pytest.mark.parametrize("dialect", ["bedrock", "openai"])
def test_every_setting_has_exactly_one_default_with_a_source(dialect):
    assert sorted(defaults(dialect)) == sorted(field.name for field in fields(Settings))
    assert all(default.source for default in defaults(dialect).values())
    shared = [knob.default for knob in KNOBS.values() if knob.default]
    assert all(knob.default is None or knob.nova is None for knob in KNOBS.values())
    assert list(defaults(None).values()) == shared


def test_nova_s_defaults_are_those_of_the_sdk_template():
    template = {
        "epochs": 1,
        "batch_size": 128,
        "samples_per_prompt": 8,
        "learning_rate": 1e-5,
        "max_prompt_length": 8192,
        "inference_max_tokens": 2048,
        "eval_interval": None,  # min(10, dataset / batch), worked out once the data is known
        "reasoning_effort": "medium",
    }
    assert {inner: KNOBS[inner].nova.value for inner in template} == template


@pytest.mark.parametrize(
    ("batch", "mini_batch", "samples", "updates"),
    [
        (128, 32, 8, 4),  # AWS's recipes
        (16, 32, 8, 1),  # the quickstart; verl refuses a batch below the mini-batch
        (32, 32, 8, 1),
        (48, 32, 8, 2),  # verl: 32 and 16
        (47, 32, 8, 2),
        (100, 32, 8, 4),  # verl: three of 32 and one of 4
        (65, 32, 8, 4),  # 520 rollouts in three parts of one size can't be
        (4, 1, 4, 4),
        (7, 3, 5, 5),
    ],
)
def test_a_batch_makes_as_many_updates_as_verl_or_the_next_that_are_of_one_size(
    batch, mini_batch, samples, updates
):
    given = {name: default.value for name, default in defaults("bedrock").items()}
    sizes = {"batch_size": batch, "mini_batch_size": mini_batch, "samples_per_prompt": samples}
    settings = replace(Settings(**given), **sizes)
    assert settings.updates_per_step == updates
    assert settings.rollouts_per_update * updates == batch * samples
