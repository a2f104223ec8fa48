from dataclasses import fields

import pytest

from bedrock_rft_sim.contract import sources
from bedrock_rft_sim.contract.knobs import KNOBS, Default, Hyperparameter, Knob, Settings
from bedrock_rft_sim.contract.ledger import (
    FIDELITIES,
    LEDGER,
    left_out,
    read_row,
    rows_for,
    rows_here,
)
from bedrock_rft_sim.recipe.dialects import openai
from bedrock_rft_sim.recipe.dialects.service_model import input_shape

NOT_FOR_RFT = "customizationConfig.distillationConfig"


def covering(knob, rows=LEDGER):
    """Find the row of a dotted path, or of the nearest part of the request that holds it."""
    by_knob = {row.knob: row for row in rows}
    while knob and knob not in by_knob:
        knob = knob.rpartition(".")[0]
    return by_knob.get(knob)


def leaves(shape, path=""):
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from leaves(member, f"{path}.{name}" if path else name)
    elif shape.type_name == "list":
        yield from leaves(shape.member, path)
    else:
        yield path


def openai_leaves(table, path=""):
    for name, field in table.items():
        below = f"{path}.{name}" if path else name
        if field.members is None:
            yield below
        else:
            yield from openai_leaves(field.members, below)


BEDROCK_KNOBS = [
    path
    for path in leaves(input_shape("bedrock", "CreateModelCustomizationJob"))
    if not path.startswith(NOT_FOR_RFT)
]
OPENAI_KNOBS = list(openai_leaves(openai.FIELDS))


def test_every_field_of_the_nova_request_has_a_row():
    for knob in sorted(set(BEDROCK_KNOBS)):
        row = covering(knob, rows_for("bedrock"))
        assert row is not None, f"{knob} has no row in the ledger"
        assert row.dialect == "bedrock"


def test_every_field_of_the_open_weight_request_has_a_row():
    for knob in OPENAI_KNOBS:
        row = covering(knob, rows_for("openai"))
        assert row is not None, f"{knob} has no row in the ledger"
        assert row.knob == knob


@pytest.mark.parametrize("dialect", ["bedrock", "openai"])
def test_every_setting_has_a_row_in_both_dialects(dialect):
    named = {setting for row in rows_for(dialect) for setting in row.settings}
    assert {field.name for field in fields(Settings)} - named == set()


def test_rows_name_only_settings_that_exist():
    known = {field.name for field in fields(Settings)}
    assert {name for row in LEDGER for name in row.settings} <= known


def test_no_row_names_a_field_that_the_requests_do_not_have():
    knobs = {row.knob for row in LEDGER if "." in row.knob and " " not in row.knob}
    real = {*BEDROCK_KNOBS, *OPENAI_KNOBS}
    parents = {path.rsplit(".", depth)[0] for path in real for depth in range(1, 5)}
    assert knobs - {"step_wise_training_metrics.csv"} <= real | parents


@pytest.mark.parametrize("dialect", ["bedrock", "openai"])
def test_no_knob_has_two_rows_in_one_dialect(dialect):
    knobs = [row.knob for row in rows_for(dialect)]
    assert sorted(set(knobs)) == sorted(knobs)


def test_every_row_says_what_how_faithfully_why_and_by_whose_word():
    for row in LEDGER:
        assert row.fidelity in FIDELITIES
        assert row.rehearsal, row.knob
        assert row.why, row.knob
        assert row.source, row.knob


def test_every_degree_of_fidelity_occurs():
    assert {row.fidelity for row in LEDGER} == set(FIDELITIES)


@pytest.mark.parametrize(
    ("knob", "fidelity"),
    [
        ("early stopping", "assumed"),
        ("payload profile", "unknown"),
        ("advantages", "approximate"),
        ("clipping", "approximate"),
        ("KL penalty", "approximate"),
        ("loss aggregation", "approximate"),
        ("actor_pg_loss", "approximate"),
        ("updates per batch", "assumed"),
        ("full fine-tuning of the embedded model", "approximate"),
        ("validation sampling", "assumed"),
        ("checkpoints", "assumed"),
        ("over-long prompts", "exact"),
    ],
)
def test_known_behaviours_are_told_apart(knob, fidelity):
    assert covering(knob).fidelity == fidelity


def test_what_one_recipe_changes_stands_in_its_row_which_is_then_not_exact():
    settings = {
        "batch_size": {"value": 4, "origin": "override", "source": "local.overrides.batchSize"},
        "max_steps": {"value": 60, "origin": "stated", "source": "local.maxSteps"},
        "epochs": {"value": 2, "origin": "stated", "source": "epochCount"},
    }
    changed = {row.knob: row for row in rows_here("bedrock", settings) if row.here}
    assert {knob.rpartition(".")[2]: row.here for knob, row in changed.items()} == {
        "batchSize": "4 by local.overrides.batchSize",
        "length of a run": "at most 60 steps by local.maxSteps",
    }
    assert {row.fidelity for row in changed.values()} == {"approximate"}
    unchanged = {"max_steps": {"value": None, "origin": "assumed", "source": "ours"}}
    assert rows_here("bedrock", unchanged) == rows_for("bedrock")


def test_a_hyperparameter_that_the_open_weight_request_lacks_gets_a_row_of_its_own():
    known = Hyperparameter("newOne", "exact", "used", "it is new", "a source")
    knob = Knob("New.", bedrock=known, open_weight=Default(3, "another source"))
    (row,) = left_out(LEDGER, {"new_one": knob, "epochs": KNOBS["epochs"]})
    assert (row.knob, row.rehearsal) == (
        "newOne on the open-weight path",
        "3, or local.overrides.newOne",
    )
    assert (row.settings, row.dialect, row.source) == (("new_one",), "openai", "another source")


def test_a_row_of_an_unknown_fidelity_or_source_is_an_error():
    row = {"knob": "x", "rehearsal": "y", "why": "z", "fidelity": "exact", "sources": ["TRL"]}
    assert read_row(dict(row)).source == sources.TRL
    with pytest.raises(ValueError, match="'exakt'"):
        read_row({**row, "fidelity": "exakt"})
    with pytest.raises(AttributeError, match="TLR"):
        read_row({**row, "sources": ["TLR"]})
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        read_row({**row, "remark": "none"})
