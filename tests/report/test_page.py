"""The page about a run: self-contained, and hostile text stays text."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.recipe import load_recipe
from sim.report import console_graphs
from sim.report.page import render
from sim.runfolder import RunFolder

LINES = [
    {"step": 0, "total_steps": 2, "validation_rewards_mean": 0.25},
    {"step": 1, "total_steps": 2, "critic_rewards_mean": 0.5, "actor_entropy": 1.25},
    {"step": 2, "total_steps": 2, "critic_rewards_mean": 0.75, "validation_rewards_mean": 0.5},
]
TITLES = (
    "Training rewards",
    "Validation rewards",
    "Training episode lengths",
    "Validation episode lengths",
    "Policy entropy",
    "Gradient norm",
)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    recipe = load_recipe("quickstart")
    run = RunFolder.create(tmp_path, "run")
    run.write_recipe(recipe.text, resolved=recipe.resolved(), request=recipe.request)
    run.write_record(
        status="Failed",
        error="<script>alert('the handler says hello')</script>",
        steps={"total": 2},
        device={"type": "cpu"},
        seed=0,
        versions={"torch": "2"},
        git_revision=None,
        recipe_hash="a",
        reward_hash="b",
        data_hash="c",
        ended=None,
    )
    for line in LINES:
        run.append_metrics(line)
    return run


def test_the_graphs_carry_the_console_s_titles() -> None:
    svg = console_graphs(LINES)
    for title in TITLES:
        assert title in svg


def test_the_graphs_are_the_same_bytes_for_the_same_numbers() -> None:
    assert console_graphs(LINES) == console_graphs(LINES)


def test_no_metrics_make_a_page_that_says_so() -> None:
    assert "no values" in console_graphs([])


def test_hostile_text_is_escaped_and_nothing_is_fetched(folder: RunFolder) -> None:
    page = render(folder)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page
    assert 'src="http' not in page


def test_the_page_names_settings_with_origin_and_the_ledger(folder: RunFolder) -> None:
    page = render(folder)
    assert "assumed" in page
    assert "Policy entropy" in page
    assert "Validation rewards: 0.250 before training, 0.500 at the end" in page
