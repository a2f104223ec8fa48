import re
from pathlib import Path

import bedrock_rft_sim
from bedrock_rft_sim.contract.metrics import MANTLE_EVENT_KEYS, METRICS, NOVA_CSV_COLUMNS, metric


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
