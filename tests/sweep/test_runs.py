"""Points as child processes: made once, reused, resumed, and honest about failure."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import psutil
import pytest

from bedrock_rft_sim import files
from bedrock_rft_sim.engine.device import visible_gpus
from bedrock_rft_sim.recipe import load_recipe
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.sweep.page import render
from bedrock_rft_sim.sweep.points import CHILD, PointRunner
from bedrock_rft_sim.sweep.result import SweepResult
from tests.jobs.conftest import wait_until
from tests.sweep.conftest import BATCH, RATE, STUB

METRIC = "validation_rewards_mean"
Swept = Callable[..., SweepResult]
AXES = f"axes: {{{RATE}: [1e-6, 1e-4, 3e-3], {BATCH}: [16, 32]}}\nallowRefused: true\nseeds: [0, 1]"


def by_setting(result: SweepResult) -> dict[str, Any]:
    return {each["setting"]: each for each in result.as_json()["settings"]}


def test_the_sweep_finds_the_collapse_and_the_flatness_and_says_so(swept: Swept):
    result = swept(AXES)
    found = by_setting(result)
    assert found["learningRate 1e-06"]["behaviour"] == "is flat"
    assert found["learningRate 0.003"]["behaviour"] == "collapses"
    assert found["centre"]["behaviour"] == "gains"
    assert found["learningRate 1e-06"]["mean"]["value"] == 0.5
    assert found["learningRate 0.003"]["mean"]["value"] == 0.125
    words = result.axes[0].words
    assert any(line.startswith("1e-06: is flat (no gain beyond noise") for line in words)
    assert any(line.startswith("0.003: collapses (in 2 of 2 runs") for line in words)
    assert any(line.startswith("from 0.0001 to 0.003: hurts") for line in words)


def test_every_point_is_a_run_folder_and_the_best_is_a_recipe_bedrock_takes(
    swept: Swept, tmp_path: Path
):
    result = swept(AXES)
    out = tmp_path / "out"
    assert len(list((out / "points").glob("*/run.json"))) == 8
    for one in result.outcomes:
        assert RunFolder.open(out / "points" / one.name).read_record()["status"] == "Completed"
    best = load_recipe(out / "best.yaml")
    assert result.ranking is not None
    assert best.refusals == ()
    assert best.settings.batch_size == result.ranking.best.changes.get(BATCH, 16)
    head = (out / "best.yaml").read_text().splitlines()
    assert head[0] == "# The best of 4 settings of quickstart, by validation_rewards_mean."
    assert any("a choice among 3" in line or "No setting" in line for line in head)
    assert json.loads((out / "sweep.json").read_text()) == result.as_json()


def test_finished_points_are_reused_and_new_ones_added(swept: Swept, made: Any):
    first = swept(f"axes: {{{RATE}: [1e-5]}}")
    assert len(made()) == 2
    again = swept(f"axes: {{{RATE}: [1e-5, 1e-3]}}\nseeds: [0, 1]")
    assert len(made()) == 6
    assert [row.changes for row in again.rows] == [{}, {RATE: 1e-5}, {RATE: 1e-3}]
    assert first.outcomes[0] in again.outcomes


def test_two_workers_give_the_table_of_one(swept: Swept, tmp_path: Path):
    one = swept(AXES)
    (tmp_path / "out").rename(tmp_path / "first")
    assert swept(AXES, workers=2).as_json() == one.as_json()


def test_a_failed_point_is_recorded_with_its_message_and_counts_as_nothing(swept: Swept):
    said: list[str] = []
    text = f"axes: {{{BATCH}: [66, 77, 78]}}\nseeds: [0, 1]"
    result = swept(text, say=said.append)
    found = by_setting(result)
    assert [one.value for one in result.failed] == [None] * 6
    assert found["batchSize 77"]["mean"] is None
    assert found["batchSize 77"]["says"] == "the policy became non-finite at step 3"
    assert found["batchSize 78"]["says"] == "out of memory, says the stub"
    assert found["batchSize 66"]["says"] == "its process was killed by signal 9"
    assert any("failed: the policy became non-finite" in line for line in said)
    assert result.ranking is not None
    assert result.ranking.is_centre


def test_a_failed_point_is_tried_again_by_the_next_sweep(swept: Swept, made: Any):
    text = f"axes: {{{BATCH}: [77]}}"
    swept(text)
    swept(text)
    assert [line.split()[0] for line in made()] == ["new", "new", "resume"]


def test_a_point_that_fails_again_is_explained_by_its_last_attempt_alone(plan: Any, tmp_path: Path):
    point = plan(f"axes: {{{RATE}: [1e-5]}}").point({}, 0)
    command = (sys.executable, "-c", "raise SystemExit('out of memory')")
    runner = PointRunner(tmp_path / "out", METRIC, command)
    assert [runner.make(point).why for _ in range(2)] == ["out of memory"] * 2
    log = tmp_path / "out" / "claims" / f"{point.name}.log"
    assert log.read_text() == "out of memory\n" * 2


DEAF = """
import signal, sys, time
from pathlib import Path
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
folder = Path(sys.argv[2]) / sys.argv[3]
folder.mkdir(parents=True)
(folder / "run.json").write_text('{"schema_version": 1, "status": "InProgress"}')
(folder / "metrics.jsonl").write_text('{"step": 1}\\n')
time.sleep(60)
"""


def test_a_run_that_is_given_up_and_does_not_stop_is_killed(
    plan: Any, tmp_path: Path, monkeypatch: Any
):
    ladder = ((0.0, signal.SIGINT), (0.1, signal.SIGTERM), (0.2, signal.SIGKILL))
    monkeypatch.setattr("bedrock_rft_sim.sweep.points.LADDER", ladder)
    point = plan(f"axes: {{{RATE}: [1e-5]}}").point({}, 0)
    runner = PointRunner(tmp_path / "out", METRIC, (sys.executable, "-c", DEAF))
    outcome = runner.make(point, watch=bool)
    assert (outcome.status, outcome.why) == ("failed", "its process was killed by signal 9")


def test_the_seed_alone_may_be_varied(swept: Swept, made: Any):
    result = swept("axes: {local.seed: [3, 4, 5]}")
    assert len(made()) == 3
    assert [row.changes for row in result.rows] == [{}]
    assert sorted(result.rows[0].values) == [3, 4, 5]
    assert result.words[-1] == "Only the base recipe was tried."
    assert "Only the base recipe was tried." in render(result)


def test_where_bedrock_would_refuse_every_setting_that_is_said(swept: Swept, tmp_path: Path):
    text = f"set: {{{BATCH}: 4}}\naxes: {{{RATE}: [1e-5]}}\nallowRefused: true"
    result = swept(text)
    assert result.ranking is None
    said = "Bedrock would refuse every setting that completed, so none is the best."
    assert result.words == [said]
    assert said in render(result)
    assert not (tmp_path / "out" / "best.yaml").exists()


def test_progress_counts_runs_and_estimates_the_time_left(swept: Swept):
    said: list[str] = []
    swept(f"mode: grid\naxes: {{{RATE}: [1e-5, 1e-4], {BATCH}: [16, 32]}}", say=said.append)
    assert said[0] == "grid: 4 settings x 1 seed = 4 runs, 0 of them finished earlier"
    assert said[1].startswith("[1/4] centre, seed 0: 0.")
    assert said[1].endswith("left")
    assert "left" not in said[4]


def test_a_run_another_process_is_writing_to_is_waited_for(plan: Any, tmp_path: Path):
    point = plan(f"axes: {{{RATE}: [1e-5]}}").point({}, 0)
    said: list[str] = []
    runner = PointRunner(tmp_path / "out", METRIC, STUB, said.append)
    folder = runner.folder(point)
    folder.mkdir(parents=True)
    lock = files.Lock(folder / ".lock")
    waited = []

    def pause(seconds: float = 0) -> None:
        waited.append(seconds)
        lock.release()

    runner.pause = pause  # type: ignore[method-assign]
    assert runner.make(point).status == "completed"
    assert len(waited) == 1
    assert "another process is at work on it" in said[0]
    assert runner.is_finished(point)


def test_a_child_of_another_sweep_is_waited_for_and_its_point_made_once(
    plan: Any, tmp_path: Path, made: Any, monkeypatch: Any
):
    monkeypatch.setenv("STUB_STEP_S", "0.01")
    point = plan(f"axes: {{{RATE}: [1e-5]}}").point({}, 0)
    said: list[str] = []
    first, second = (PointRunner(tmp_path / "out", METRIC, STUB, said.append) for _ in range(2))
    with ThreadPoolExecutor() as pool:
        making = pool.submit(first.make, point)
        wait_until(lambda: second.is_taken(point))
        assert second.make(point).status == "completed"
        assert making.result().status == "completed"
    assert len(said) == 1
    assert "another process is at work on it" in said[0]
    assert len(made()) == 1


def test_the_real_child_ends_with_the_sweep_that_started_it(tmp_path: Path):
    recipe = tmp_path / "point.yaml"
    recipe.write_text(load_recipe("quickstart").text)
    arguments = [*CHILD, str(recipe), str(tmp_path / "points"), "point", "new"]
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == -signal.SIGTERM


@pytest.mark.slow
def test_the_real_child_trains_an_ordinary_run(plan: Any, tmp_path: Path, monkeypatch: Any):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    small = "batchSize: 2, trainingSamplePerPrompt: 2, inferenceMaxTokens: 4"
    shared = "local.maxSteps: 2, local.trainingData: problems:4, local.validationData: problems:2"
    text = f"set: {{{shared}, local.overrides: {{{small}}}}}\naxes: {{local.maxSteps: [1]}}"
    point = plan(text).point({}, 0)
    runner = PointRunner(tmp_path / "out", METRIC)
    assert runner.make(point).status == "completed"
    assert runner.is_finished(point)
    assert len(runner.lines(point)) == 3
    assert (runner.folder(point) / "report.html").is_file()


DRIVER = """
import sys
from pathlib import Path
from bedrock_rft_sim.sweep import read_sweep, sweep
say = lambda words: print(words, flush=True)
sweep(read_sweep(Path(sys.argv[1])), out=Path(sys.argv[2]), workers=1, say=say,
      command=sys.argv[3:])
"""


def started(asked: Path, out: Path, *, step_s: float) -> subprocess.Popen[str]:
    """Start a sweep over the stub in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(asked), str(out), *STUB],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "STUB_STEP_S": str(step_s)},
    )


def killed_after(lines: int, asked: Path, out: Path, *, told: str = "") -> None:
    """Start a sweep in a process of its own and kill it while it makes the next run.

    The lines are counted from the one that starts with `told`.
    """
    sweep = started(asked, out, step_s=0.01)
    assert sweep.stdout is not None
    for line in sweep.stdout:
        if line.startswith(told):
            break
    for line in sweep.stdout:
        if line.startswith(f"[{lines}/"):
            break
    sweep.kill()
    assert sweep.wait() == -signal.SIGKILL
    sweep.stdout.close()


ONE_FACTOR = f"axes: {{{RATE}: [1e-6, 1e-4], {BATCH}: [16, 32, 77]}}\nseeds: [0, 1]"
SEARCH = f"""mode: search
axes:
  {RATE}: {{low: 1e-5, high: 1e-3, log: true}}
  {BATCH}: [16, 24, 32]
seeds: [0, 1]
trials: 5
pruner: {{startupTrials: 2, warmupSteps: 1}}
"""


@pytest.mark.slow
@pytest.mark.parametrize("text", [ONE_FACTOR, SEARCH], ids=["one-factor", "search"])
def test_a_sweep_killed_twice_gives_the_table_of_one_never_killed(
    text: str, swept: Swept, written: Callable[[str], Path], tmp_path: Path, made: Any
):
    whole = swept(text).as_json()
    unkilled = len(made())
    (tmp_path / "out").rename(tmp_path / "whole")
    asked, out = written(text), tmp_path / "out"
    killed_after(1, asked, out)
    killed_after(3, asked, out)
    assert swept(text).as_json() == whole
    assert (out / "sweep.json").read_bytes() == (tmp_path / "whole" / "sweep.json").read_bytes()
    assert sum(line.startswith("new") for line in made()) == unkilled


@pytest.mark.slow
@pytest.mark.parametrize("text", [ONE_FACTOR, SEARCH], ids=["one-factor", "search"])
def test_of_two_sweeps_on_one_folder_one_is_killed_and_every_point_is_made_once(
    text: str, swept: Swept, written: Callable[[str], Path], tmp_path: Path, made: Any
):
    asked, out = written(text.replace("startupTrials: 2", "startupTrials: 99")), tmp_path / "out"
    dying, staying = started(asked, out, step_s=0.05), started(asked, out, step_s=0.02)
    half_made = ""

    def is_in_the_middle() -> bool:
        nonlocal half_made
        for child in psutil.Process(dying.pid).children():
            half_made = child.cmdline()[-2]
            path = out / "points" / half_made / "metrics.jsonl"
            return path.exists() and path.read_text().count("\n") > 5
        return False

    wait_until(is_in_the_middle)
    dying.kill()
    dying.communicate()
    assert dying.returncode == -signal.SIGKILL
    said, _ = staying.communicate(timeout=120)
    assert staying.returncode == 0, said
    how_often = Counter(line.removeprefix("new ") for line in made() if line.startswith("new "))
    assert set(how_often.values()) == {1}
    assert set(how_often) == {path.name for path in (out / "points").iterdir()}
    assert f"resume {half_made}" in made()
    runs = [
        one
        for row in json.loads((out / "sweep.json").read_text())["settings"]
        for one in row["runs"]
    ]
    assert {one["name"] for one in runs} == set(how_often)
    assert all("batchSize-77" in one["name"] for one in runs if one["status"] != "completed")


@pytest.mark.slow
def test_a_search_killed_while_it_confirms_goes_on_and_gives_the_same_table(
    swept: Swept, written: Callable[[str], Path], tmp_path: Path, made: Any
):
    text = SEARCH.replace("trials: 4", "trials: 3") + "confirm: [10, 11]\n"
    whole = swept(text).as_json()
    assert whole["confirmation"]["confirmed"] is not None
    unkilled = len(made())
    (tmp_path / "out").rename(tmp_path / "whole")
    killed_after(1, written(text), tmp_path / "out", told="confirm:")
    assert not (tmp_path / "out" / "sweep.json").exists()
    assert swept(text).as_json() == whole
    assert sum(line.startswith("new") for line in made()) == unkilled


def test_each_worker_has_a_gpu_of_its_own_and_without_gpus_nothing_changes(
    plan: Any, tmp_path: Path, monkeypatch: Any
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,6")
    assert visible_gpus() == ["5", "6"]
    two_at_once = threading.Barrier(2)
    seen: list[Any] = []

    def start(_command: Any, *, environment: Any, **_more: Any) -> Any:
        gpu = environment and environment["CUDA_VISIBLE_DEVICES"]
        seen.append(gpu)
        two_at_once.wait(10)
        return Mock(is_alive=lambda: False, exit_code=1, last_words=lambda: "")

    monkeypatch.setattr("bedrock_rft_sim.sweep.points.Child.start", start)
    points = [plan(f"axes: {{{RATE}: [1e-5]}}").point({}, seed) for seed in (0, 1)]
    for gpus, expected in ((visible_gpus(), ["5", "6"]), ((), [None, None])):
        seen.clear()
        runner = PointRunner(tmp_path / "out", METRIC, STUB, lambda _: None, gpus)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(runner.make, points))
        assert sorted(seen, key=str) == expected


def test_a_pruner_looks_at_the_metrics_only_when_there_are_new_ones(
    plan: Any, tmp_path: Path, monkeypatch: Any
):
    monkeypatch.setattr("bedrock_rft_sim.sweep.points.time.sleep", lambda _seconds: None)
    runner = PointRunner(tmp_path / "out", METRIC, STUB)
    point = plan(f"axes: {{{RATE}: [1e-5]}}").point({}, 0)
    folder = runner.folder(point)
    folder.mkdir(parents=True)
    record = {"schema_version": 1, "name": folder.name, "status": "In Progress"}
    polls: list[int] = []

    def is_alive() -> bool:
        polls.append(len(polls))
        if polls[-1] == 3:
            (folder / "run.json").write_text(json.dumps(record))
        if polls[-1] in (5, 9):
            with (folder / "metrics.jsonl").open("a") as file:
                file.write(json.dumps({"step": polls[-1]}) + "\n")
        return polls[-1] < 20

    seen: list[int] = []
    child: Any = SimpleNamespace(is_alive=is_alive)
    runner._follow(child, point, lambda lines: bool(seen.append(len(lines))))
    assert seen == [1, 2]
