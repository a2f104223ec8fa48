"""Fresh seeds: made for the best and the centre alone, judged alone, told everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from scipy import stats

from bedrock_rft_sim.recipe import load_recipe
from bedrock_rft_sim.sweep.confirmation import confirmation_of
from bedrock_rft_sim.sweep.outcome import PointOutcome
from bedrock_rft_sim.sweep.page import render
from bedrock_rft_sim.sweep.result import SweepResult
from tests.sweep.conftest import BATCH, RATE

Swept = Callable[..., SweepResult]
SEEDS = (10, 11, 12, 13)
BETTER = f"axes: {{{BATCH}: [64]}}\nseeds: [0, 1]\n"
"""The stub gives 48 more prompts in a batch 6 more right answers of 40, give or take 1."""
CONFIRM = "confirm: [10, 11, 12, 13]\n"


def judged(centre: Sequence[float | None], best: Sequence[float | None]) -> Any:
    outcomes = [
        PointOutcome(
            f"run-{changes}-{seed}", changes, seed, "completed" if value else "failed", value
        )
        for changes, values in (({}, centre), ({"a": 1}, best))
        for seed, value in zip(SEEDS, values, strict=True)
    ]
    return confirmation_of(outcomes, SEEDS)


def test_a_gain_whose_interval_is_above_nothing_is_confirmed_with_its_own_p_value():
    centre, best = [0.50, 0.55, 0.52, 0.51], [0.54, 0.61, 0.55, 0.56]
    found = judged(centre, best)
    test = stats.ttest_rel(best, centre, alternative="greater")
    low, high = stats.ttest_rel(best, centre).confidence_interval(0.95)
    assert found.is_confirmed
    assert found.over_centre.p_value == pytest.approx(test.pvalue)
    assert found.words == (
        "Confirmed on 4 fresh seeds: better than the base recipe by +0.045 (95 % interval "
        f"{low:+.3f} to {high:+.3f}).",
        f"One-sided p {test.pvalue:.2g}, with no allowance for the choice, which was made on other "
        "seeds.",
    )


def test_a_gain_that_may_be_nothing_is_not_confirmed():
    found = judged([0.50, 0.55, 0.52, 0.51], [0.54, 0.51, 0.55, 0.56])
    assert found.is_confirmed is False
    assert found.words[0].startswith("Not confirmed on 4 fresh seeds: +0.020 (95 % interval -")
    assert found.words[0].endswith("so whether it is better than the base recipe is not known.")


def test_a_loss_is_told_as_one():
    found = judged([0.50, 0.55, 0.52, 0.51], [0.40, 0.44, 0.41, 0.42])
    assert found.is_confirmed is False
    assert found.words[0].startswith("Not confirmed on 4 fresh seeds: worse than the base recipe")


def test_a_fresh_seed_without_a_result_confirms_nothing_however_good_the_rest():
    found = judged([0.50, 0.55, 0.52, 0.51], [0.90, 0.95, 0.92, None])
    assert found.is_confirmed is False
    assert found.words == (
        "Not confirmed: only 3 of 4 fresh seeds have results on both sides, so whether it is "
        "better than the base recipe is not known.",
    )
    assert judged([0.5, 0.5, 0.5, 0.5], [None] * 4).over_centre is None


def test_the_best_and_the_centre_run_once_more_and_nothing_else_changes(swept: Swept, made: Any):
    unconfirmed = swept(BETTER)
    assert unconfirmed.words[-1].startswith("Fresh seeds under confirm: in the sweep file")
    plain = unconfirmed.as_json()
    before = len(made())
    said: list[str] = []
    result = swept(BETTER + CONFIRM, say=said.append)
    found = result.as_json()
    assert len(made()) == before + 8
    assert {key: value for key, value in found.items() if key != "confirmation"} == {
        key: value for key, value in plain.items() if key != "confirmation"
    }
    assert plain["confirmation"] is None
    assert found["confirmation"]["confirmed"] is True
    assert found["confirmation"]["seeds"] == list(SEEDS)
    assert {(one["seed"], bool(one["changes"])) for one in found["confirmation"]["runs"]} == {
        (seed, is_best) for seed in SEEDS for is_best in (False, True)
    }
    line = next(line for line in said if line.startswith("confirm: "))
    assert "batchSize 64 is the best so far, but was chosen by these very results" in line
    assert "with 4 fresh seeds = 8 runs, 0 of them finished earlier" in line
    assert any(line.startswith("[8/8] batchSize 64, seed 13: 0.") for line in said)


def test_confirming_again_reuses_every_run(swept: Swept, made: Any):
    first = swept(BETTER + CONFIRM).as_json()
    runs = len(made())
    assert swept(BETTER + CONFIRM, workers=2).as_json() == first
    assert len(made()) == runs


def test_the_confirmation_stands_on_the_page_and_in_the_head_of_the_best_recipe(swept: Swept):
    result = swept(BETTER + CONFIRM)
    assert result.confirmation is not None
    words = result.confirmation.words
    assert words[0].startswith("Confirmed on 4 fresh seeds: better than the base recipe by +0.1")
    best = result.out / "best.yaml"
    head = best.read_text().splitlines()
    assert f"# {words[0]}" in head
    assert load_recipe(best).settings.batch_size == 64
    html = render(result)
    assert words[0] in html
    assert html.count('<span class="tag">fresh</span>') == 8


def test_a_base_recipe_that_is_the_best_leaves_nothing_to_confirm(swept: Swept, made: Any):
    result = swept(f"axes: {{{RATE}: [1e-6]}}\n" + CONFIRM)
    assert len(made()) == 2
    assert result.words[-1] == "Nothing to confirm: the base recipe is the best."
    assert result.as_json()["confirmation"]["confirmed"] is None


def test_without_a_ranking_there_is_nothing_to_confirm(swept: Swept):
    text = f"set: {{{BATCH}: 77}}\naxes: {{{RATE}: [1e-6]}}\nallowRefused: true\n"
    result = swept(text + CONFIRM)
    assert result.words == [
        "No run completed, so nothing can be ranked.",
        "Nothing to confirm: no setting could be ranked.",
    ]


def test_a_fresh_run_that_fails_is_named_among_the_failed(swept: Swept, monkeypatch: Any):
    monkeypatch.setenv("STUB_FAIL_SEED", "12")
    result = swept(BETTER + CONFIRM)
    assert [one.seed for one in result.failed] == [12, 12]
    assert result.words[-1].startswith("Not confirmed: only 3 of 4 fresh seeds")
