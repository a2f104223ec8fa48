"""What a sweep file may say, and how a mistake in it is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe.shipped import shipped_sweeps
from bedrock_rft_sim.sweep import read_sweep
from bedrock_rft_sim.sweep.file import Pruner, Range
from tests.sweep.conftest import BATCH, RATE

Written = Callable[..., Path]


def test_what_is_left_out_is_one_factor_over_validation_with_the_recipe_s_seed(written: Written):
    found = read_sweep(written(f"axes: {{{RATE}: [1e-5, 1e-3]}}"))
    assert (found.mode, found.metric) == ("one-factor", "validation_rewards_mean")
    assert found.seeds is None
    assert not found.allow_refused
    assert found.axes[0].values == (1e-5, 1e-3)
    assert found.axes[0].name == "learningRate"


def test_a_search_takes_ranges_lists_trials_and_a_pruner(written: Written):
    text = f"""mode: search
axes:
  {RATE}: {{low: 1e-5, high: 1e-3, log: true}}
  {BATCH}: [16, 32]
trials: 5
searchSeed: 3
pruner: {{startupTrials: 2}}
"""
    found = read_sweep(written(text))
    assert found.axes[0].values == Range(1e-5, 1e-3, log=True)
    assert (found.trials, found.search_seed, found.pruner) == (5, 3, Pruner(2, 1))
    assert read_sweep(written(text.replace("{startupTrials: 2}", "none"))).pruner is None


def test_seeds_given_by_hand_replace_the_file_s(written: Written):
    path = written(f"axes: {{{RATE}: [1e-5]}}\nseeds: [0, 1]")
    assert read_sweep(path).seeds == (0, 1)
    assert read_sweep(path, seeds=(7,)).seeds == (7,)


def test_the_seed_as_an_axis_is_another_spelling_of_seeds(written: Written):
    as_axis = read_sweep(written(f"axes: {{{RATE}: [1e-5], local.seed: [3, 4]}}"))
    assert as_axis.seeds == (3, 4)
    assert [axis.path for axis in as_axis.axes] == [RATE]
    assert read_sweep(written("axes: {local.seed: [3, 4]}")).axes == ()


def test_seeds_to_confirm_by_are_optional(written: Written):
    assert read_sweep(written(f"axes: {{{RATE}: [1e-5]}}")).confirm is None
    assert read_sweep(written(f"axes: {{{RATE}: [1e-5]}}\nconfirm: [7, 8]")).confirm == (7, 8)


def test_a_path_to_the_recipe_starts_at_the_sweep_file(written: Written, tmp_path: Path):
    found = read_sweep(written(f"axes: {{{RATE}: [1e-5]}}", recipe="own/base.yaml"))
    assert found.recipe == tmp_path / "own" / "base.yaml"


MISTAKES = {
    "axis: {a: [1]}": ("unknown key axis", "did you mean axes?"),
    "mode: grid": ("missing key axes",),
    "axes: {a: [1]}\nmode: girds": ("unusable value mode", "did you mean grid?", ":3"),
    "axes: {a: [1]}\nseeds: 3": ("wrong type seeds", "[0, 1, 2]"),
    "axes: {a: [1]}\nseeds: [0, 0]": ("twice the same value seeds.1",),
    "axes: {a: [1]}\nseeds: [-1]": ("a whole number from 0", "seeds.0"),
    "axes: {a: [1]}\nmetric: reward": ("unusable value metric", "critic_rewards_mean"),
    "axes: {a: [1]}\nallowRefused: 1": ("wrong type allowRefused",),
    "axes: {a: [1]}\ntrials: 4": ("used without a search trials", "mode: search"),
    "axes: {a: 1}": ("wrong type axes.a", "a list of values"),
    "axes: {a: []}": ("wrong type axes.a",),
    "axes: {a: [1, 1]}": ("twice the same value axes.a.1",),
    "axes: {a: [1], local.seed: [0, 1]}\nseeds: [0]": ("seeds are given twice", ":2"),
    "axes: {local.seed: {low: 0, high: 1}}": ("wrong type axes.local.seed", "[0, 1, 2]"),
    "axes: {local.seed: [0, -1]}": ("a whole number from 0", "axes.local.seed.1"),
    "mode: search\naxes: {local.seed: [0, 1]}": ("nothing to search in", "beside local.seed"),
    "axes: {a: [1]}\nconfirm: 3": ("wrong type confirm", "[0, 1, 2]"),
    "axes: {a: [1]}\nconfirm: [7]": ("unusable value confirm", "one shows no spread"),
    "axes: {a: [1]}\nconfirm: [7, 7]": ("twice the same value confirm.1",),
    "axes: {a: {low: 1, high: 2}}": ("a range outside a search",),
    "mode: search\naxes: {a: {low: 2, high: 1}}": ("unusable value axes.a.high", "more than low"),
    "mode: search\naxes: {a: {low: 0, high: 1, log: true}}": ("axes.a.low", "log: true"),
    "mode: search\naxes: {a: {low: x, high: 1}}": ("wrong type axes.a.low",),
    "mode: search\naxes: {a: {lo: 1, high: 2}}": ("unknown key axes.a.lo", "did you mean low?"),
    "mode: search\naxes: {a: [1]}\ntrials: 0": ("a whole number from 1",),
    "mode: search\naxes: {a: [1]}\npruner: hard": ("unusable value pruner",),
    "axes: {a: [1]}\nset: {local.seed: 1}": ("the seed is not set here",),
    "axes: {a: [1]}\naxes: {b: [1]}": ("duplicate key axes",),
}


@pytest.mark.parametrize("text", MISTAKES, ids=lambda text: text.replace("\n", "; "))
def test_a_mistake_is_told_with_its_place(text: str, written: Written):
    with pytest.raises(RecipeError) as error:
        read_sweep(written(text))
    assert "asked.yaml" in str(error.value)
    for word in MISTAKES[text]:
        assert word in str(error.value)


def test_a_file_that_is_not_there_and_a_name_that_is_not_shipped_are_told(tmp_path: Path):
    with pytest.raises(RecipeError, match="can't read the sweep"):
        read_sweep(tmp_path / "none.yaml")
    with pytest.raises(RecipeError, match="did you mean quickstart"):
        read_sweep("quickstrat")
    assert set(shipped_sweeps()) == {"quickstart", "quickstart-search"}
