"""The search: proposals legal and repeatable, trials given up, shared and taken over."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.sweep import read_sweep, sweep
from bedrock_rft_sim.sweep.axes import LEAST_TRIALS
from bedrock_rft_sim.sweep.outcome import PointOutcome
from bedrock_rft_sim.sweep.plan import SweepPlan
from bedrock_rft_sim.sweep.result import SweepResult
from bedrock_rft_sim.sweep.search import _study_name, _Watch
from tests.sweep.conftest import BATCH, RATE, STUB

Swept = Callable[..., SweepResult]
AXES = f"""mode: search
axes:
  {RATE}: {{low: 1e-5, high: 1e-3, log: true}}
  {BATCH}: {{low: 16, high: 32}}
"""
QUIET = "pruner: none\n"


def test_every_proposal_is_inside_its_range_whole_where_meant_and_legal(swept: Swept):
    result = swept(AXES + QUIET + "trials: 6")
    assert len(result.rows) == 7
    for row in result.rows[1:]:
        assert 1e-5 <= row.changes.get(RATE, 1e-4) <= 1e-3
        assert row.changes.get(BATCH, 16) in range(16, 33)
    assert {row.refusals for row in result.rows} == {()}
    assert result.rows[0].changes == {}


def test_the_best_is_held_against_the_base_recipe_and_says_it_can_not_tell(swept: Swept):
    found = swept(AXES + QUIET + "trials: 4\nseeds: [0, 1]").ranking
    assert found is not None
    assert found.is_centre or found.over_centre is not None
    assert any("base recipe" in line for line in found.words)


def test_the_same_search_proposes_the_same_and_another_seed_something_else(
    swept: Swept, tmp_path: Path
):
    first = swept(AXES + QUIET + "trials: 2").as_json()
    (tmp_path / "out").rename(tmp_path / "first")
    assert swept(AXES + QUIET + "trials: 2").as_json() == first
    (tmp_path / "out").rename(tmp_path / "second")
    assert swept(AXES + QUIET + "trials: 2\nsearchSeed: 1").as_json() != first


def test_more_trials_go_on_with_the_study(swept: Swept, made: Any):
    few = swept(AXES + QUIET + "trials: 3")
    runs = len(made())
    more = swept(AXES + QUIET + "trials: 5")
    assert [row.changes for row in more.rows[:4]] == [row.changes for row in few.rows]
    assert len(made()) == runs + 2


def test_a_trial_behind_the_median_is_given_up_and_is_no_result(swept: Swept, tmp_path: Path):
    text = AXES + "trials: 6\npruner: {startupTrials: 1, warmupSteps: 1}"
    result = swept(text)
    pruned = [one for one in result.outcomes if one.status == "pruned"]
    assert pruned
    for one in pruned:
        assert one.value is None
        assert one.why is not None
        assert one.why.startswith("given up after step ")
    assert result.ranking is not None
    assert result.ranking.best.outcomes[0].status == "completed"
    assert swept(text).as_json() == result.as_json()


def test_a_run_that_is_given_up_is_stopped(swept: Swept, tmp_path: Path, monkeypatch: Any):
    monkeypatch.setenv("STUB_STEP_S", "0.03")
    result = swept(AXES + "trials: 4\npruner: {startupTrials: 1, warmupSteps: 1}")
    pruned = [one for one in result.outcomes if one.status == "pruned"]
    assert pruned
    lines = [RunFolder.open(tmp_path / "out" / "points" / p.name).read_metrics() for p in pruned]
    assert any(each[-1]["step"] < each[-1]["total_steps"] for each in lines)


def test_a_failed_trial_is_recorded_and_the_search_goes_on(swept: Swept):
    text = f"mode: search\naxes: {{{BATCH}: [77, 78]}}\ntrials: 3\n" + QUIET
    result = swept(text)
    assert {one.status for one in result.failed} == {"failed"}
    assert {one.why for one in result.failed} <= {
        "the policy became non-finite at step 3",
        "out of memory, says the stub",
    }
    assert result.ranking is not None
    assert result.ranking.is_centre
    assert swept(text).as_json() == result.as_json()


def test_several_sweeps_share_one_study(written: Any, tmp_path: Path, made: Any):
    asked = read_sweep(written(AXES + QUIET + "trials: 6"))

    def run(_number: int) -> SweepResult:
        out = tmp_path / "out"
        return sweep(asked, out=out, workers=2, say=lambda _words: None, command=STUB)

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(run, range(2))
    assert one.as_json() == other.as_json()
    assert len(one.rows) == 7
    assert len(set(made())) == len(made()) == 7


def test_what_an_axis_of_a_search_does_is_told_by_rank_correlation(swept: Swept):
    few = swept(AXES + QUIET + f"trials: {LEAST_TRIALS - 3}")
    assert few.axes[0].words[0].startswith("cannot tell: 3 finished trials")
    more = swept(AXES + QUIET + "trials: 6")
    said = more.axes[0].words[0]
    assert "rank correlation" in said
    assert "a guide only: the search chose its points by earlier results" in said


def test_a_setting_given_up_once_and_completed_another_time_counts_with_its_result(
    swept: Swept, monkeypatch: Any
):
    pruned = PointOutcome("again", {BATCH: 32}, 0, "pruned", why="behind")
    runs = [pruned, replace(pruned, status="completed", value=0.99, why=None)]
    monkeypatch.setattr("bedrock_rft_sim.sweep.search.search", lambda *_args, **_more: runs)
    result = swept(AXES + QUIET + "trials: 2")
    assert [row.mean for row in result.rows[1:]] == [0.99]
    assert result.ranking is not None
    assert result.ranking.best.changes == {BATCH: 32}


def test_a_whole_range_of_a_setting_that_takes_fractions_is_searched_between(swept: Swept):
    path = "local.training.klCoefficient"
    result = swept(f"mode: search\naxes: {{{path}: {{low: 0, high: 1}}}}\ntrials: 3\n{QUIET}")
    tried = [row.changes[path] for row in result.rows[1:]]
    assert len(tried) == 3
    assert all(0 < value < 1 for value in tried)


def test_fresh_seeds_to_confirm_by_leave_the_study_as_it_is(written: Any, tmp_path: Path):
    def name(more: str) -> str:
        return _study_name(SweepPlan(read_sweep(written(AXES + "seeds: [0]\n" + more)), tmp_path))

    assert name("confirm: [10, 11]") == name("confirm: [12, 13, 14]") == name("")
    assert name("searchSeed: 1") != name("")


def test_a_validation_is_judged_once_and_then_asks_nothing_of_the_study():
    looked: list[int] = []
    values: dict[int, float] = {}

    def get_trial(number: int) -> Any:
        looked.append(number)
        return SimpleNamespace(intermediate_values=dict(values))

    trial: Any = SimpleNamespace(
        _trial_id=7,
        storage=SimpleNamespace(get_trial=get_trial),
        report=lambda value, step: values.update({step: value}),
        should_prune=lambda: max(values) == 10,
    )
    watch = _Watch(trial)
    lines = [{"step": 5, "total_steps": 20, "validation_rewards_mean": 0.5}]
    assert not watch(lines)
    known = len(looked)
    assert not watch([*lines, {"step": 6, "total_steps": 20}])
    assert len(looked) == known
    assert watch([*lines, {"step": 10, "total_steps": 20, "validation_rewards_mean": 0.4}])
    assert values == {5: 0.5, 10: 0.4}


def test_without_optuna_a_search_is_one_message_with_the_install_line(
    swept: Swept, monkeypatch: Any, tmp_path: Path
):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "optuna" else real(name, *a)
    )
    with pytest.raises(RecipeError, match=r"pip install 'bedrock-rft-sim\[hpo\]'"):
        swept(AXES)
    assert not (tmp_path / "out" / "points").exists()


def test_only_a_search_loads_optuna(written: Any, tmp_path: Path):
    code = (
        "import sys; from pathlib import Path\n"
        "from bedrock_rft_sim.sweep import read_sweep, sweep\n"
        "sweep(read_sweep(Path(sys.argv[1])), out=Path(sys.argv[2]), workers=1,"
        " say=lambda w: None, command=sys.argv[3:])\n"
        "print([m for m in ('optuna', 'sqlalchemy', 'torch', 'trl') if m in sys.modules])"
    )
    asked = written(f"axes: {{{RATE}: [1e-5]}}")
    arguments = [sys.executable, "-c", code, str(asked), str(tmp_path / "out"), *STUB]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
