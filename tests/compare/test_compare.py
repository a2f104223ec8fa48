from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_rft_sim.compare import Comparison, compare, noise_of, order
from bedrock_rft_sim.compare.axis import MOST_POINTS, PlacedSeries, thin
from bedrock_rft_sim.compare.compare import COMPARED
from bedrock_rft_sim.compare.decide import MEASURES, side_of_group
from bedrock_rft_sim.compare.needed import prospect
from bedrock_rft_sim.compare.series import Curve, Curves
from bedrock_rft_sim.compare.summary import CurveSummary, level_weights, summarise
from bedrock_rft_sim.contract.metrics import METRICS
from bedrock_rft_sim.errors import DataError

Make = Callable[..., Any]


def rewards(found: Comparison) -> Any:
    return next(one for one in found.metrics if one.metric == "critic_rewards_mean")


def summary(y: list[float], top: float | None = 1.0) -> CurveSummary:
    found = summarise(PlacedSeries(np.arange(float(len(y))), np.array(y, float)), top=top)
    assert found is not None
    return found


def test_what_is_compared_is_every_console_graph_that_may_be() -> None:
    allowed = {one.inner for one in METRICS if one.console_title and one.comparable != "no"}
    assert {one.inner for one in COMPARED} == allowed


def test_gain_and_area_are_what_they_are_said_to_be() -> None:
    y = [0.2, 0.2, 0.4, 0.4, 0.5, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6]  # windows: 3 points each
    found = summary(y)
    start, end = (0.2 + 0.2 + 0.4) / 3, 0.6
    mean = (sum(y) - (y[0] + y[-1]) / 2) / 10
    assert (found.start, found.end) == pytest.approx((start, end))
    assert found.gain == pytest.approx((end - start) / (1 - start))
    assert found.area == pytest.approx((mean - start) / (1 - start))
    assert summary(y, top=None).gain == pytest.approx((end - start) / start)
    assert summary(y, top=4.0).gain == pytest.approx((end - start) / (4 - start))


@given(st.lists(st.floats(0, 1), min_size=4, max_size=30), st.floats(0.1, 100))
def test_a_relative_gain_does_not_depend_on_the_unit(y: list[float], unit: float) -> None:
    shifted = [1 + each for each in y]
    scaled = [unit * each for each in shifted]
    assert summary(scaled, top=None).gain == pytest.approx(summary(shifted, top=None).gain)
    assert summary(scaled, top=None).unrest == pytest.approx(summary(shifted, top=None).unrest)
    assert noise(scaled) == pytest.approx(noise(shifted), abs=1e-12)


def noise(y: list[float]) -> float:
    return float(side_of_group([summary(y, top=None)]).own[0])


def test_the_noise_of_the_gain_is_what_repetition_shows(process: Make) -> None:
    drawn = process(seed_spread=1e-6).draw(np.random.default_rng(3), 400)
    found = [summary(list(run.series["critic_rewards_mean"].values)) for run in drawn]
    claimed = np.sqrt(side_of_group(found).own)
    for name, each in zip(MEASURES, claimed, strict=True):
        assert each == pytest.approx(np.std([getattr(one, name) for one in found]), rel=0.25)


def test_levels_are_means_over_the_axis_and_not_over_the_points() -> None:
    weights = level_weights(np.array([0.0, 1.0, 10.0]))
    assert weights[2] == pytest.approx([0.05, 0.5, 0.45])
    assert weights.sum(axis=1) == pytest.approx(1)


def test_seeds_of_one_process_have_the_same_shape(runs: Make) -> None:
    found = compare(runs(5, noise=0.01, seed_spread=0.01), runs(5, seed=1, noise=0.01))
    assert found.verdict == "same shape"
    assert rewards(found).bootstrap.rank_correlation.value > 0.95
    assert rewards(found).a.direction == "rising"
    assert 0.2 < rewards(found).a.plateau < 0.9


def test_a_run_that_falls_is_different_from_one_that_rises(runs: Make) -> None:
    found = compare(runs(5), runs(5, seed=1, gain=-0.3))
    assert found.verdict == "different"
    assert "Training rewards" in found.words
    assert rewards(found).b.direction == "falling"
    assert rewards(found).bootstrap.probability_of_improvement.value == 0


def test_another_order_of_the_sides_turns_the_signs_and_not_the_verdict(runs: Make) -> None:
    a, b = runs(4), runs(3, seed=1, gain=0.3)
    there, back = compare(a, b, resamples=0), compare(b, a, resamples=0)
    assert there.verdict == back.verdict
    for one, other in zip(there.metrics, back.metrics, strict=True):
        for x, y in zip(one.differences, other.differences, strict=True):
            assert x.b_minus_a == pytest.approx(-y.b_minus_a)
            assert x.p_different == pytest.approx(y.p_different)


def test_the_same_numbers_give_the_same_bytes(runs: Make) -> None:
    a, b = runs(3), runs(1, seed=1)
    first, second = (json.dumps(compare(a, b).as_json(), allow_nan=False) for _ in range(2))
    assert first == second


def cut_to(run: Curves, points: int) -> Curves:
    series = {
        name: Curve(name, curve.steps[:points], curve.values[:points])
        for name, curve in run.series.items()
    }
    return replace(run, series=series)


@pytest.mark.parametrize(("points", "verdict"), [(9, "cannot tell"), (10, "same shape")])
def test_fewer_than_ten_points_never_show_the_same_shape(
    points: int, verdict: str, curves_of: Make
) -> None:
    line = 0.2 + 0.03 * np.arange(points)
    groups = [
        [curves_of(f"{side}{n}", critic_rewards_mean=line + 1e-4 * (n + side)) for n in range(3)]
        for side in (0, 5)
    ]
    found = compare(*groups)
    assert found.verdict == verdict
    if points < 10:
        assert "fewer than 10" in rewards(found).words


@pytest.mark.parametrize(("a", "b", "verdict"), [
    (1, 1, "cannot tell"), (2, 1, "cannot tell"), (3, 1, "same shape"), (2, 2, "same shape"),
])  # fmt: skip
def test_one_run_needs_three_seeds_on_the_other_side(
    a: int, b: int, verdict: str, curves_of: Make
) -> None:
    line = 0.2 + 0.01 * np.arange(40)
    sides = [
        [curves_of(f"{n}", critic_rewards_mean=line + 1e-4 * (n + shift)) for n in range(count)]
        for count, shift in ((a, 0), (b, 7))
    ]
    assert rewards(compare(*sides)).verdict == verdict


def test_three_points_show_no_shape(runs: Make) -> None:
    short = [cut_to(run, 3) for run in runs(3)]
    found = compare(short, runs(3, seed=1))
    assert found.verdict == "cannot tell"
    assert "3 points" in rewards(found).words


def test_a_reward_that_begins_at_its_top_has_nothing_to_gain(curves_of: Make) -> None:
    sides = [
        [
            curves_of(f"{n}", critic_rewards_mean=np.full(20, 0.98) + n / 1e3)
            for n in range(i, i + 3)
        ]
        for i in (0, 3)
    ]
    found = compare(*sides)
    assert found.verdict == "cannot tell"
    assert "nothing to gain" in rewards(found).words
    assert compare(*sides, top=5.0).verdict == "same shape"


def test_the_top_is_given_or_1_and_never_the_highest_reward_seen(
    curves_of: Make, runs: Make
) -> None:
    high = curves_of("x", critic_rewards_mean=np.linspace(1, 3, 20), critic_rewards_max=[5.0] * 20)
    with pytest.raises(DataError, match="beyond 1 at 20 of 20 steps") as error:
        compare(runs(2), [high])
    assert "--top" in str(error.value)
    assert compare(runs(2), [high], top=5.0).top_reward == 5.0
    assert compare(runs(2), runs(2, seed=1)).top_reward == 1.0
    assert any("beyond the top of 2" in note for note in compare(runs(2), [high], top=2.0).notes)


def spoiled(run: Curves, step: int, grade: float) -> Curves:
    """Return the run with one grade among 128 of a step set to this."""
    series = dict(run.series)
    curve = series["critic_rewards_mean"]
    values = list(curve.values)
    values[step] += (grade - values[step]) / 128
    series["critic_rewards_mean"] = replace(curve, values=tuple(values))
    if grade > 1:
        highest = [1.0] * len(values)
        highest[step] = grade
        series["critic_rewards_max"] = Curve("critic_rewards_max", curve.steps, tuple(highest))
    return replace(run, series=series)


@pytest.mark.parametrize("grade", [-1e12, -50.0, 5.0, 50.0, 1e12])
@pytest.mark.parametrize("step", [0, 20, 43])
@pytest.mark.parametrize(("gain", "verdict"), [(0.5, "same shape"), (0.0, "different")])
def test_one_grade_of_any_size_changes_no_verdict(
    grade: float, step: int, gain: float, verdict: str, runs: Make
) -> None:
    changes = {"noise": 0.01, "seed_spread": 0.01}
    a, b = runs(5, **changes), runs(1, seed=1, gain=gain, **changes)
    clean = compare(a, b, resamples=0)
    assert rewards(clean).verdict == verdict
    for found in (
        compare([spoiled(a[0], step, grade), *a[1:]], b, resamples=0),
        compare(a, [spoiled(b[0], step, grade)], resamples=0),
    ):
        assert found.verdict == clean.verdict
        assert rewards(found).verdict == verdict
        if abs(grade) >= 50:
            assert any("far off" in note for note in found.notes)


def test_two_odd_steps_in_a_row_are_no_slip_and_stay() -> None:
    y = np.linspace(0.2, 0.8, 45) + 0.01 * np.random.default_rng(0).normal(size=45)
    y[20:22] = 0.0
    assert summary(list(y)).left_out == ()
    y[21] = y[22]
    assert summary(list(y)).left_out == (20,)


@pytest.mark.parametrize("period", [2.0, 5.0, 8.0, 16.0])
def test_a_curve_that_swings_is_not_the_same_as_one_that_climbs(period: float, runs: Make) -> None:
    changes = {"noise": 0.01, "seed_spread": 0.01}
    smooth, swings = runs(5, **changes), runs(5, seed=1, swing=0.15, period=period, **changes)
    found = rewards(compare(smooth, swings, resamples=0))
    assert found.verdict == "different"
    assert found.differences[2].b > found.differences[2].a + 0.1


def test_a_collapse_of_six_steps_is_seen(runs: Make) -> None:
    found = rewards(compare(runs(5), runs(1, seed=1, collapse=6), resamples=0))
    assert found.verdict == "different"
    assert "unrest" in found.words


def test_other_noise_of_the_steps_alone_is_not_different(runs: Make) -> None:
    found = rewards(compare(runs(5), runs(5, seed=1, noise=0.02), resamples=0))
    assert found.verdict != "different"


def test_what_it_would_take_stands_beside_cannot_tell(runs: Make) -> None:
    job = replace(runs(1, seed=1)[0], kind="mantle")
    found = compare(runs(3), [job], resamples=10)
    assert found.verdict == "cannot tell"
    needed = rewards(found).needed
    assert needed.now.same < 0.2
    more = needed.enough or needed.best
    assert f"; {more.a} runs against 1 " in found.words
    assert "% of cases, 3 runs against 1 as here in " in found.words
    assert more.b == 1
    assert more.steps > 45 or more.a > 3
    assert more.same > needed.now.same
    assert json.loads(json.dumps(found.as_json()))["metrics"][0]["needed"]["now"]["a"] == 3
    assert rewards(compare(runs(3), runs(1, seed=1), resamples=0)).needed is None


def test_more_seeds_and_longer_runs_promise_more(runs: Make) -> None:
    noise = noise_of(runs(8))
    few, many = (prospect(noise, n, n, steps=45, margin=0.1) for n in (3, 12))
    longer = prospect(noise, 3, 3, steps=180, margin=0.1)
    assert few.same < many.same
    assert few.same < longer.same
    assert few.seen > many.seen
    assert prospect(noise, 1, 1, steps=45, margin=0.1).same == 0
    with pytest.raises(DataError, match="no noise can be taken"):
        noise_of([cut_to(run, 3) for run in runs(3)])


def test_a_metric_that_one_side_lacks_is_named_and_holds_nothing_up(
    runs: Make, curves_of: Make
) -> None:
    a = runs(5, noise=0.01, seed_spread=0.01)
    extra = [
        replace(run, series={**run.series, "validation_rewards_mean": Curve(
            "validation_rewards_mean", (0, 20, 45), (0.2, 0.5, 0.6))}) for run in a
    ]  # fmt: skip
    found = compare(extra, runs(5, seed=1, noise=0.01, seed_spread=0.01))
    assert found.verdict == "same shape"
    assert "Not judged: Validation rewards" in found.words


def test_curves_of_other_lengths_are_held_against_each_other_by_share(curves_of: Make) -> None:
    def side(steps: int, shift: float) -> list[Curves]:
        share = np.arange(1, steps + 1) / steps
        return [
            curves_of(f"{n}", prompts=None, critic_rewards_mean=0.3 + 0.4 * share + n * shift)
            for n in range(3)
        ]

    found = compare(side(40, 1e-3), side(67, 1.1e-3))
    assert found.axis == "share"
    assert found.verdict == "same shape"


def test_prompts_are_the_axis_where_all_know_them(curves_of: Make) -> None:
    def side(steps: int, prompts: int) -> list[Curves]:
        seen = np.arange(1, steps + 1) * prompts
        return [
            curves_of(f"{n}", prompts=prompts, critic_rewards_mean=0.3 + seen / 2000 + n / 1e3)
            for n in range(3)
        ]

    found = compare(side(40, 16), side(40, 8))
    assert found.axis == "prompts"
    assert rewards(found).verdict == "same shape"
    assert any("compared only up to 320" in note for note in found.notes)
    assert compare(side(40, 16), side(40, 8), axis="share").verdict == "different"


def test_prompts_can_not_be_the_axis_of_a_job_that_does_not_tell_them(
    runs: Make, curves_of: Make
) -> None:
    job = curves_of("job", prompts=None, critic_rewards_mean=np.linspace(0, 1, 20))
    with pytest.raises(DataError, match="how many prompts"):
        compare(runs(3), [job], axis="prompts")


def test_a_copy_of_a_run_is_no_second_seed(runs: Make) -> None:
    (run,) = runs(1)
    with pytest.raises(DataError, match="the very same numbers"):
        compare([run, replace(run, source="copy")], runs(2, seed=1))


def test_nothing_in_common_is_one_message(runs: Make, curves_of: Make) -> None:
    with pytest.raises(DataError, match="no compared metric in common"):
        compare(runs(2), [curves_of("x", loss=np.arange(20.0))])


def test_notes_tell_of_crashes_repeats_and_unknown_plans(runs: Make) -> None:
    crashed = replace(cut_to(runs(1)[0], 30), repeated_steps=4, notes=("torn",))
    unplanned = replace(runs(1, seed=1)[0], total_steps=None)
    notes = " | ".join(compare([crashed], [unplanned], axis="share").notes)
    for part in ("torn", "4 steps came more than once", "ends at step 30 of 45", "not known"):
        assert part in notes


def test_a_long_curve_is_averaged_down_and_keeps_its_mean() -> None:
    y = np.sin(np.arange(MOST_POINTS * 4) / 100)
    found = thin(PlacedSeries(np.arange(len(y)) * 1.0, y))
    assert len(found.x) == MOST_POINTS
    assert found.y.mean() == pytest.approx(y.mean())


@settings(max_examples=30)
@given(
    st.lists(
        st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=15),
        min_size=2,
        max_size=4,
        unique_by=tuple,
    )
)
def test_any_curves_end_in_a_verdict_of_finite_numbers(values: list[list[float]]) -> None:
    made = [
        Curves(str(n), "run", {"critic_rewards_mean": Curve(
            "critic_rewards_mean", tuple(range(len(each))), tuple(each))})
        for n, each in enumerate(values)
    ]  # fmt: skip
    found = compare(made[:1], made[1:], resamples=20, top=2e6)
    text = json.dumps(found.as_json(), allow_nan=False)
    assert json.loads(text)["verdict"] in ("same shape", "different", "cannot tell")


def test_the_order_at_home_is_the_order_in_the_cloud(runs: Make) -> None:
    local = [runs(3, seed=n, gain=gain) for n, gain in enumerate((0.1, 0.4, 0.8))]
    cloud = [runs(1, seed=9 + n, gain=gain) for n, gain in enumerate((0.2, 0.5, 0.9))]
    found = order(local, cloud)
    assert (found.verdict, found.kendall_tau.value, found.by) == (
        "same order",
        1.0,
        "Training rewards",
    )
    turned = order(local, cloud[::-1])
    assert (turned.verdict, turned.kendall_tau.value) == ("different", -1.0)
    assert json.dumps(found.as_json(), allow_nan=False)


def test_one_grade_of_any_size_turns_no_order(runs: Make) -> None:
    local = [runs(3, seed=n, gain=gain) for n, gain in enumerate((0.1, 0.8))]
    cloud = [runs(1, seed=9 + n, gain=gain) for n, gain in enumerate((0.2, 0.9))]
    spoilt = [[spoiled(local[0][0], 40, 1e6), *local[0][1:]], local[1]]
    assert order(spoilt, cloud).local == pytest.approx(order(local, cloud).local, abs=0.03)


def test_recipes_too_close_to_order_can_not_be_told(runs: Make) -> None:
    local = [runs(3, seed=n) for n in range(2)]
    found = order(local, [runs(1, seed=8), runs(1, seed=9)])
    assert found.verdict == "cannot tell"
    assert (found.kendall_tau.low, found.kendall_tau.high) == (-1.0, 1.0)


def test_one_seed_at_home_never_settles_an_order(runs: Make) -> None:
    local = [runs(1, gain=0.1), runs(1, seed=1, gain=0.9)]
    cloud = [runs(1, seed=2, gain=0.1), runs(1, seed=3, gain=0.9)]
    assert order(local, cloud).verdict == "cannot tell"


def test_an_order_needs_rewards_and_two_recipes(runs: Make, curves_of: Make) -> None:
    with pytest.raises(DataError, match="two recipes"):
        order([runs(2)], [runs(1, seed=1)])
    bare = [curves_of("x", actor_entropy=np.arange(20.0))]
    with pytest.raises(DataError, match="too few rewards"):
        order([runs(2), bare], [runs(1, seed=1), runs(1, seed=2)])


def test_an_assumed_spread_leaves_no_infinity_in_the_json(runs: Make) -> None:
    found = compare(runs(1), runs(1, seed=1))
    degrees = found.as_json()["metrics"][0]["differences"]["gain"]["degrees_of_freedom"]
    assert degrees is None
    assert math.isinf(found.metrics[0].differences[0].degrees_of_freedom)


def test_second_opinions_of_both_sides_are_compared_each_by_itself(process: Make) -> None:
    name = "local_also_graded/gsm8k"

    def doubted(runs: list[Curves], share: float, top: float = 1.0) -> list[Curves]:
        return [
            replace(run, series={**run.series, name: Curve(name, c.steps, values)})
            for run in runs
            for c in [run.series["critic_rewards_mean"]]
            for values in [tuple(top * (0.3 + share * (v - 0.3)) for v in c.values)]
        ]

    rng = np.random.default_rng(0)
    a, b = (process().draw(rng, 6)[:3] for _ in range(2))
    plain = compare(a, b, resamples=0)
    assert compare(doubted(a, 1), b, resamples=0).metrics == plain.metrics
    found = compare(doubted(a, 1.0), doubted(b, 0.0), resamples=0)
    [second] = [one for one in found.metrics if one.metric == name]
    assert second.verdict == "different"
    assert name in found.words
    beyond = compare(doubted(a, 1, top=9), doubted(b, 1, top=9), resamples=0).metrics[-1]
    assert (beyond.verdict, beyond.words) == ("cannot tell", "its grades lie beyond the top of 1")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("a", "b"), [(1, 1), (2, 2), (3, 1), (5, 5)])
def test_the_interval_that_is_shown_is_the_one_the_verdict_uses(
    a: int, b: int, seed: int, runs: Make
) -> None:
    changes = {"noise": 0.005, "seed_spread": 0.005}
    sides = (runs(a, seed=seed, **changes), runs(b, seed=9 + seed, **changes))
    other = runs(b, seed=9 + seed, gain=-0.6)
    for found in (compare(*sides, resamples=0), compare(sides[0], other, resamples=0)):
        for one in found.metrics:
            if (shown := one.decisive) is None:
                continue
            bound = found.margin if shown.measure == "unrest" else 0.0
            beyond = shown.low > bound or shown.high < -bound
            within = max(abs(shown.low), abs(shown.high)) <= found.margin
            if one.verdict == "different":
                assert beyond
                assert shown.measure in one.words
                assert shown.confidence >= 0.9
            else:
                assert within == (max(each.p_same for each in one.differences) <= 0.05)
                assert within or one.verdict == "cannot tell"
                assert shown.confidence == pytest.approx(0.9)
    assert found.as_json()["metrics"][0]["decisive"] in ("gain", "area", "unrest")


def test_a_run_on_both_sides_is_named(runs: Make) -> None:
    a = runs(3)
    b = [replace(run, source=f"b/{run.source}") for run in runs(3, seed=1)]
    assert "both sides" not in " ".join(compare(a, b, resamples=0).notes)
    (note,) = (each for each in compare(a, [*b[:2], a[2]], resamples=0).notes if "both" in each)
    assert note.startswith(a[2].name)
