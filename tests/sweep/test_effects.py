"""Effects and ranking, compared with numbers worked out by hand and with scipy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bedrock_rft_sim.sweep.axes import direction, find_axis, find_search_axis
from bedrock_rft_sim.sweep.effects import (
    Setting,
    at_level,
    between,
    effect,
    level_effect,
    over_seeds,
    p_words,
    rows_of,
)
from bedrock_rft_sim.sweep.file import Axis
from bedrock_rft_sim.sweep.outcome import PointOutcome, each_once
from bedrock_rft_sim.sweep.ranking import rank


def outcome(
    value: float | None, *, seed: int = 0, changes: Any = None, **more: Any
) -> PointOutcome:
    status = "completed" if value is not None else "failed"
    return PointOutcome(
        f"run-{seed}", changes or {}, seed, more.pop("status", status), value, **more
    )


def row(values: Sequence[float | None], changes: Any = None, **more: Any) -> Setting:
    found = [
        outcome(value, seed=seed, changes=changes, **more) for seed, value in enumerate(values)
    ]
    return Setting(changes or {}, tuple(found))


def test_the_interval_is_the_paired_t_interval_over_seeds():
    better, centre = row([0.7, 0.8, 0.75], {"a": 1}), row([0.5, 0.65, 0.6])
    found = between(better, centre)
    expected = stats.ttest_rel([0.7, 0.8, 0.75], [0.5, 0.65, 0.6], alternative="greater")
    low, high = stats.ttest_rel([0.7, 0.8, 0.75], [0.5, 0.65, 0.6]).confidence_interval(0.95)
    assert found is not None
    assert found.value == pytest.approx(0.5 / 3)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.seeds, found.higher) == (3, 3)


def test_one_seed_gives_a_difference_and_no_interval():
    found = effect([0.2], floor=0.01)
    assert found is not None
    assert (found.value, found.low, found.high, found.p_value) == (0.2, None, None, None)
    assert "one seed" in direction(found)


def test_seeds_that_agree_exactly_are_no_surer_than_one_validation_prompt():
    found = effect([0.25, 0.25], floor=0.025)
    assert found is not None
    reach = stats.t.ppf(0.975, 1) * 0.025 / math.sqrt(2)
    assert (found.low, found.high) == pytest.approx((0.25 - reach, 0.25 + reach))


def test_only_seeds_that_completed_on_both_sides_are_paired():
    found = between(row([0.7, None, 0.9], {"a": 1}), row([0.5, 0.1, None]))
    assert found is not None
    assert (found.seeds, found.value) == (1, pytest.approx(0.2))
    assert between(row([None, 0.3], {"a": 1}), row([0.5, None])) is None


def test_a_failed_run_is_no_number():
    failed = row([0.4, None])
    assert failed.mean == 0.4
    assert over_seeds(row([None, None])) is None


def test_in_a_grid_an_axis_is_averaged_over_the_others_within_each_seed():
    cells = [
        row([0.1, 0.2], {}),
        row([0.5, 0.6], {"a": 2}),
        row([0.3, 0.3], {"b": 9}),
        row([0.5, 0.9], {"a": 2, "b": 9}),
    ]
    found = level_effect(cells, "a", 2, 1, base={"a": 1, "b": 8})
    # seed 0: (0.4 + 0.2) / 2 = 0.3; seed 1: (0.4 + 0.6) / 2 = 0.5
    assert found is not None
    assert found.value == pytest.approx(0.4)
    assert found.seeds == 2
    assert at_level(cells, "a", 2, base={"a": 1}) == [cells[1], cells[3]]


def test_one_factor_levels_hold_only_settings_that_differ_in_that_axis():
    settings = [row([0.1]), row([0.2], {"a": 2}), row([0.3], {"b": 9})]
    assert at_level(settings, "a", 1, base={"a": 1, "b": 8}) == [settings[0]]


def test_rows_keep_the_order_of_settings_and_sort_the_seeds():
    found = rows_of([outcome(0.1, seed=1), outcome(0.3, changes={"a": 1}), outcome(0.2, seed=0)])
    assert [r.changes for r in found] == [{}, {"a": 1}]
    assert [one.seed for one in found[0].outcomes] == [0, 1]


def ranked(*rows: Setting, refused: Sequence[Setting] = (), seeds: int | None = None) -> Any:
    most = max(len(row.outcomes) for row in rows)
    known = [replace(row, refusals=("refused",)) if row in refused else row for row in rows]
    return rank(known, seeds=seeds or most)


def test_the_best_of_many_pays_for_having_been_chosen():
    centre = row([0.50, 0.55, 0.52])
    best = row([0.60, 0.66, 0.61], {"a": 1})
    others = [row([0.4, 0.4, 0.4], {"a": n}) for n in (2, 3)]
    found = ranked(centre, best, *others)
    p_value = stats.ttest_rel([0.60, 0.66, 0.61], [0.50, 0.55, 0.52], alternative="greater").pvalue
    assert found.best is best
    assert found.tried == 3
    assert found.p_value_over_centre == pytest.approx(3 * p_value)
    assert found.as_json()["p_value_over_centre_adjusted"] == found.p_value_over_centre
    assert found.runner_up is centre
    words = " ".join(found.words)
    assert "Better than the base recipe: +0.100" in words
    assert f"p {3 * p_value:.2g} after allowing for a choice among 3" in words
    assert "probability" not in words + str(found.as_json())


def test_settings_that_were_given_up_or_failed_count_as_tried():
    centre, best = row([0.50, 0.55, 0.52]), row([0.60, 0.66, 0.61], {"a": 1})
    lost = [row([None], {"a": 2}, status="pruned"), row([0.4, None], {"a": 3})]
    alone, among = ranked(centre, best), ranked(centre, best, *lost)
    assert among.tried == 3
    assert among.p_value_over_centre == pytest.approx(3 * alone.p_value_over_centre)
    assert among.words[-1] == "2 of 4 settings are not ranked: given up, failed or short of a seed."


def test_a_base_recipe_that_lacks_a_seed_is_never_said_to_be_beaten():
    worse = row([0.05, 0.06], {"a": 1})
    found = ranked(row([0.9, None]), worse)
    assert found.best is worse
    assert (found.over_centre, found.p_value_over_centre) == (None, None)
    assert found.words == (
        "Best of the settings beside the base recipe: a 1, 0.055 over 2 seeds.",
        "Cannot tell whether it is better than the base recipe: the base recipe has results for "
        "only 1 of 2 seeds.",
    )
    better = ranked(row([0.1, None, 0.1]), row([0.9, 0.9, 0.9], {"a": 1}))
    assert better.words[1].endswith("only 2 of 3 seeds.")
    nothing = ranked(row([None]), row([0.9], {"a": 1}))
    assert nothing.words[1].endswith("only 0 of 1 seed.")


def test_what_is_worse_than_a_base_recipe_that_bedrock_refuses_is_not_called_better():
    centre, worse = row([0.9, 0.9, 0.91]), row([0.1, 0.1, 0.12], {"a": 1})
    found = ranked(centre, worse, refused=[centre])
    assert found.best is worse
    assert found.words[1].startswith("It is not better than the base recipe: -0.797")
    assert found.p_value_over_centre > 0.99


def test_with_one_seed_the_ranking_cannot_tell():
    found = ranked(row([0.5]), row([0.9], {"a": 1}))
    assert found.p_value_over_centre is None
    assert "Cannot tell whether it is better than the base recipe" in found.words[1]
    assert "one seed" in found.words[1]


def test_two_seeds_that_disagree_cannot_tell_either():
    found = ranked(row([0.5, 0.6]), row([0.55, 0.58], {"a": 1}))
    assert found.p_value_over_centre > 0.05
    assert "Cannot tell" in found.words[1]


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=2, max_size=5),
    st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_better_is_said_only_of_a_gain_whose_interval_is_above_nothing(
    values: list[list[float]], there: list[bool]
):
    centre = row(
        [value if is_there else None for value, is_there in zip(values[0], there, strict=True)]
    )
    found = ranked(centre, *(row(each, {"a": at}) for at, each in enumerate(values[1:])))
    if any(line.startswith("Better than the base recipe") for line in found.words):
        assert all(there)
        assert found.over_centre.value > 0
        assert found.over_centre.low > 0
        assert found.p_value_over_centre <= 0.05


def test_a_very_small_p_value_is_never_written_as_0():
    assert p_words(0.0) == "p below 0.001"
    assert p_words(0.17) == "p 0.17"


def test_a_base_recipe_that_is_the_best_is_said_to_be():
    found = ranked(row([0.9, 0.8]), row([0.1, 0.2], {"a": 1}))
    assert found.is_centre
    assert found.words[1] == "No setting did better than the base recipe."
    assert ranked(row([0.9, 0.8])).words[1] == "Only the base recipe was tried."


def test_what_bedrock_refuses_is_never_the_best_but_is_named():
    better = row([0.9, 0.9], {"a": 9})
    found = ranked(row([0.5, 0.5]), row([0.6, 0.6], {"a": 1}), better, refused=[better])
    assert found.best.changes == {"a": 1}
    assert found.refused_above == replace(better, refusals=("refused",))
    assert "Bedrock would refuse it" in found.words[-1]


def test_a_setting_with_a_failed_seed_is_not_ranked_against_complete_ones():
    found = ranked(row([0.5, 0.5]), row([0.9, None], {"a": 1}))
    assert found.is_centre
    assert ranked(row([None])) is None


def test_steps_of_an_axis_say_that_no_allowance_is_made_for_several():
    axis = Axis("a", (1, 2), 1)
    rows = [row([0.1, 0.1], resolution=0.01), row([0.9, 0.9], {"a": 2}, resolution=0.01)]
    words = find_axis(axis, rows, {"a": 1}).words
    assert words[-2].startswith("from 1 to 2: helps, +0.800 (95 % interval ")
    assert words[-1] == "each step is judged by itself, with no allowance for several"
    alone = find_axis(axis, [row([0.1]), row([0.9], {"a": 2})], {"a": 1}).words
    assert "allowance" not in alone[-1]


def test_results_that_never_vary_show_no_direction_of_an_axis():
    rows = [row([0.5], {"a": value}) for value in range(6)]
    (words,) = find_search_axis(Axis("a", (0, 5), 1), rows, {}).words
    assert words == "cannot tell: the values or the results of all 6 settings are the same"


def test_a_run_met_twice_counts_once_and_its_completed_outcome_wins():
    pruned = outcome(None, changes={"a": 1}, status="pruned", why="behind")
    completed = outcome(0.5, changes={"a": 1})
    centre = replace(outcome(0.1), name="centre")
    assert each_once([centre, pruned, completed]) == [centre, completed]
    assert each_once([completed, pruned]) == [completed]
    assert each_once([pruned, replace(pruned, why="later")]) == [pruned]
