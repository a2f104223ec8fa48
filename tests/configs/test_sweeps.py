"""Every shipped sweep can be planned: its recipe, axes and values are there and mean something."""

from pathlib import Path

import pytest

from bedrock_rft_sim.recipe.shipped import shipped_sweeps
from bedrock_rft_sim.sweep import read_sweep
from bedrock_rft_sim.sweep.plan import SweepPlan

SWEEPS = Path(__file__).resolve().parents[2] / "configs" / "sweeps"
FILES = sorted(SWEEPS.glob("*.yaml"))


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def config(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_every_sweep_can_be_planned(config, tmp_path):
    plan = SweepPlan(read_sweep(config), tmp_path)
    assert plan.point(plan.centre, plan.seeds[0]).recipe.payload() is not None


def test_line_one_is_a_sentence_and_line_two_the_command_that_runs_it(config):
    sentence, command = config.read_text().splitlines()[:2]
    assert sentence.startswith("# ")
    assert sentence.endswith(".")
    assert command == f"# rft sweep {config.stem}"


def test_no_line_is_longer_than_a_hundred_columns(config):
    assert max(len(line) for line in config.read_text().splitlines()) <= 100


def test_every_sweep_is_shipped_under_its_bare_name(config):
    assert shipped_sweeps()[config.stem] == config


def test_the_quickstart_sweep_is_six_settings_of_two_seeds(tmp_path):
    plan = SweepPlan(read_sweep("quickstart"), tmp_path)
    assert len(plan.settings()) * len(plan.seeds) == 12


def test_the_quickstart_search_proposes_only_what_bedrock_takes():
    assert not read_sweep("quickstart-search").allow_refused
