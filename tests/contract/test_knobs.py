from dataclasses import fields

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
