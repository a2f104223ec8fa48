import re
from dataclasses import fields
from pathlib import Path
from uuid import UUID

import bedrock_rft_sim
import pytest
from bedrock_rft_sim.contract import limits, statuses
from bedrock_rft_sim.contract.events import message_event, metrics_event
from bedrock_rft_sim.contract.knobs import KNOBS, Settings, defaults
from bedrock_rft_sim.contract.metrics import MANTLE_EVENT_KEYS, METRICS, NOVA_CSV_COLUMNS, metric
from bedrock_rft_sim.recipe.dialects.service_model import input_shape

PUBLISHED = {
    "step": 4,
    "total_steps": 67,
    "critic_rewards_mean": 0.4375,
    "actor_pg_loss": 0.1015324,
    "actor_entropy": 0.6235736,
    "actor_grad_norm": 0.00086673,
    "critic_advantages_mean": 0.0136226,
    "response_length_mean": 519.09375,
}


def test_a_metrics_event_has_exactly_the_published_shape():
    event = metrics_event({**PUBLISHED, "local_tokens": 7}, created_at=1771442218)
    assert event.pop("id").startswith("ftevent-")
    assert event == {
        "object": "fine_tuning.job.event",
        "created_at": 1771442218,
        "level": "info",
        "message": "Step 4/67: training metrics",
        "type": "metrics",
        "data": PUBLISHED,
    }


def test_an_event_s_id_carries_a_random_uuid():
    one, other = message_event("started"), message_event("started")
    assert UUID(one["id"].removeprefix("ftevent-")).version == 4
    assert one["id"] != other["id"]


def test_a_metric_that_is_missing_is_null_in_the_event_and_not_zero():
    event = metrics_event({"step": 1, "total_steps": 2})
    assert event["data"]["actor_entropy"] is None
    assert set(event["data"]) == set(MANTLE_EVENT_KEYS)


def test_a_message_event_carries_its_level_and_no_data():
    event = message_event("the handler raised", level="error")
    assert (event["type"], event["level"], event["data"]) == ("message", "error", None)


def test_inner_names_are_unique_and_can_be_looked_up():
    assert len({entry.inner for entry in METRICS}) == len(METRICS)
    assert metric("actor_entropy").nova_csv_column == "policy_entropy"


def test_each_surface_s_names_are_used_once_and_all_of_them():
    for surface in ("mantle_key", "verl_name", "nova_csv_column", "console_title"):
        names = [getattr(entry, surface) for entry in METRICS if getattr(entry, surface)]
        assert sorted(set(names)) == sorted(names)
    assert {e.mantle_key for e in METRICS if e.mantle_key} == set(MANTLE_EVENT_KEYS)
    assert {e.nova_csv_column for e in METRICS if e.nova_csv_column} == set(NOVA_CSV_COLUMNS)


def test_mantle_keys_are_the_inner_names_and_verl_s_with_underscores():
    for entry in METRICS:
        if entry.mantle_key:
            has_verl_form = entry.verl_name and entry.inner not in ("step", "total_steps")
            assert not has_verl_form or entry.verl_name.replace("/", "_") == entry.mantle_key


def test_every_metric_has_a_definition_a_unit_and_an_estimator():
    for entry in METRICS:
        assert all((entry.definition, entry.unit, entry.estimator)), entry.inner
        assert entry.comparable in ("yes", "shape", "no")


def test_every_local_metric_that_is_written_anywhere_is_defined():
    written = {
        name
        for path in Path(bedrock_rft_sim.__file__).parent.rglob("*.py")
        for name in re.findall(r'"(local_[a-z0-9_]+)": ', path.read_text())
    }
    assert written
    assert written <= {entry.inner for entry in METRICS}


def test_statuses_are_those_of_the_service_model():
    listing = input_shape("bedrock", "ListModelCustomizationJobs")
    assert set(listing.members["statusEquals"].enum) == set(statuses.BEDROCK_STATUSES)


def test_the_lambda_arn_pattern_is_botocore_s():
    shape = input_shape("bedrock", "CreateModelCustomizationJob")
    for name in ("customizationConfig", "rftConfig", "graderConfig", "lambdaGrader", "lambdaArn"):
        shape = shape.members[name]
    assert shape.metadata["pattern"] == limits.LAMBDA_ARN_PATTERN
    assert shape.metadata["max"] == limits.LAMBDA_ARN_MAX_LENGTH


@pytest.mark.parametrize("dialect", ["bedrock", "openai"])
def test_every_setting_has_exactly_one_default_with_a_source(dialect):
    assert sorted(defaults(dialect)) == sorted(field.name for field in fields(Settings))
    assert all(default.source for default in defaults(dialect).values())
    shared = [knob.default for knob in KNOBS.values() if knob.default]
    assert all(knob.default is None or knob.nova is None for knob in KNOBS.values())
    assert list(defaults(None).values()) == shared


def test_nova_s_defaults_are_those_of_the_sdk_template():
    own = {inner: knob.nova.value for inner, knob in KNOBS.items() if knob.nova}
    assert own == {
        "epochs": 1,
        "batch_size": 128,
        "samples_per_prompt": 8,
        "learning_rate": 1e-5,
        "max_prompt_length": 8192,
        "inference_max_tokens": 2048,
        "eval_interval": None,  # min(10, dataset / batch), worked out once the data is known
        "reasoning_effort": "medium",
    }
