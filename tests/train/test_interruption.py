"""A run can be killed or stopped at any instant and loses nothing it had earned."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.errors import RehearsalError, RunFolderError
from bedrock_rft_sim.files import read_json_lines
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs import Run, RunFolder
from bedrock_rft_sim.train.interrupt import interruptible
from bedrock_rft_sim.train.run import RunResult, rehearse
from tests.run_damage import cut, emptied, flipped, removed
from tests.train.conftest import small_recipe

STEPS = 6
STDERR = "stderr.txt"
COMPARED = (
    "step",
    "total_steps",
    "critic_rewards_mean",
    "response_length_mean",
    "actor_entropy",
    "actor_grad_norm",
    "critic_advantages_mean",
    "validation_rewards_mean",
)


def start_process(recipe: Recipe, parent: Path) -> subprocess.Popen[bytes]:
    """Run the recipe by command line, as a user would."""
    command = [sys.executable, "-m", *run_command(recipe, parent)]
    with (parent.parent / STDERR).open("wb") as stderr:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)


def run_command(recipe: Recipe, parent: Path) -> list[str]:
    """Return the module and its arguments that run the recipe as `parent/run`."""
    local = recipe.local
    sets = [
        f"local.model={local.model}",
        f"local.trainingData={local.trainingData}",
        f"local.validationData={local.validationData}",
        f"local.reward={local.reward}",
        "local.device=cpu",
        *(f"local.overrides.{name}={value}" for name, value in recipe.overrides.items()),
        f"local.checkpointInterval={recipe.settings.checkpoint_interval}",
        "local.training.method=full",
        f"local.maxSteps={recipe.settings.max_steps}",
    ]
    command = ["bedrock_rft_sim", "run", "quickstart", "--out", str(parent), "--name", "run"]
    return [*command, *(part for text in sets for part in ("--set", text))]


def wait_for_lines(path: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if path.exists() and path.read_bytes().count(b"\n") >= count:
            return
        if process.poll() is not None:
            raise AssertionError((path.parent.parent.parent / STDERR).read_text())
        time.sleep(0.005)
    raise AssertionError("the run wrote no metrics in two minutes")


def compared(folder: Path) -> list[dict[str, Any]]:
    lines = RunFolder.open(folder).read_metrics()
    return [{name: line.get(name) for name in COMPARED} for line in lines]


@pytest.mark.slow
def test_a_run_killed_at_a_random_step_resumes_to_the_same_numbers(
    recipe_for: Callable[..., Recipe], run: Callable[..., RunResult], tmp_path: Path
) -> None:
    recipe = recipe_for(f"local.maxSteps={STEPS}")
    seed = int(os.environ.get("KILL_SEED", "0"))
    lines_before_the_kill = random.Random(seed).randint(1, STEPS)
    process = start_process(recipe, tmp_path / "runs")
    metrics = tmp_path / "runs" / "run" / "metrics.jsonl"
    wait_for_lines(metrics, lines_before_the_kill, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert json.loads((metrics.parent / "run.json").read_text())["status"] == "InProgress"

    resumed = run(recipe, name="run", resume=True)
    whole = run(recipe, name="whole")

    assert resumed.status == "Completed"
    told = f"KILL_SEED={seed}, killed after {lines_before_the_kill} lines"
    assert [line["step"] for line in compared(resumed.folder)] == list(range(STEPS + 1)), told
    assert compared(resumed.folder) == compared(whole.folder), told
    steps = [
        event["data"]["step"]
        for event in RunFolder.open(resumed.folder).read_events()
        if event["type"] == "metrics"
    ]
    assert steps == list(range(1, STEPS + 1)), told
    assert RunFolder.open(resumed.folder).checkpoint_steps() == [2, 4, 6], told


@pytest.mark.slow
def test_ctrl_c_ends_as_stopped_with_everything_kept(
    recipe_for: Callable[..., Recipe], tmp_path: Path
) -> None:
    process = start_process(recipe_for("local.maxSteps=500", rows=2000), tmp_path / "runs")
    folder = tmp_path / "runs" / "run"
    wait_for_lines(folder / "metrics.jsonl", 3, process)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    record = json.loads((folder / "run.json").read_text())
    steps = [line["step"] for line in RunFolder.open(folder).read_metrics()]
    assert record["status"] == "Stopped"
    assert steps == list(range(len(steps)))
    assert RunFolder.open(folder).checkpoint_steps()[-1] == steps[-1]
    assert (folder / "model" / "model.safetensors").is_file()
    assert "Traceback" not in (tmp_path / STDERR).read_text()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="it watches itself through /proc")
def test_runs_killed_at_named_instants_and_at_random_end_as_the_unbroken_one() -> None:
    script = Path(__file__).parents[2] / "scripts" / "bench_kills"
    command = [sys.executable, str(script), "--kills", "4"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # a fork must meet no thread
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "differently than the unbroken one: 0" in done.stdout


def test_signals_of_one_instant_are_one_where_a_launcher_passes_them_on() -> None:
    said: list[str] = []
    with interruptible(said.append, same_s=60) as interrupt:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert interrupt.requested
    with interruptible(said.append):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert len(said) == 2


class StopsAfterThreeSteps:
    """Stands in for a user who presses Ctrl-C during the third step."""

    def __init__(self) -> None:
        self.steps = 0

    @property
    def requested(self) -> bool:
        return self.steps >= 3

    def __call__(self) -> bool:
        self.steps += 1
        return self.requested


class StopsAtOnce:
    """Stands in for a user who presses Ctrl-C before the model is loaded, or soon afterwards."""

    def __init__(self, patience: int) -> None:
        self.patience = patience  # how often it is still asked in vain

    @property
    def requested(self) -> bool:
        self.patience -= 1
        return self.patience < 0

    def __call__(self) -> bool:
        return self.requested


@pytest.mark.parametrize("patience", [0, 3], ids=["loading", "validating"])
def test_a_run_that_is_stopped_before_its_first_step_earns_none_and_begins_again(
    patience: int,
    recipe_for: Callable[..., Recipe],
    run: Callable[..., RunResult],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = recipe_for("local.maxSteps=1")
    with monkeypatch.context() as patch:
        patch.setattr(
            "bedrock_rft_sim.train.run.interruptible",
            lambda _announce, **_: contextlib.nullcontext(StopsAtOnce(patience)),
        )
        stopped = run(recipe, name="run")
    assert (stopped.status, stopped.step, stopped.first) == ("Stopped", 0, {})
    assert RunFolder.open(stopped.folder).checkpoint_steps() == []
    resumed = run(recipe, name="run", resume=True)
    assert (resumed.status, resumed.step) == ("Completed", 1)
    assert [line["step"] for line in compared(resumed.folder)] == [0, 1]


@pytest.mark.parametrize(
    ("method", "updates"),
    [
        pytest.param("full", 1, id="full"),
        pytest.param("lora", 1, id="lora", marks=pytest.mark.slow),
        pytest.param("full", 4, id="four", marks=pytest.mark.slow),
    ],
)
def test_a_stopped_run_goes_on_as_if_it_had_never_stopped(
    method: str,
    updates: int,
    recipe_for: Callable[..., Recipe],
    run: Callable[..., RunResult],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cut = f"local.training.miniBatchSize={4 // updates}"
    recipe = recipe_for("local.maxSteps=5", f"local.training.method={method}", cut)
    with monkeypatch.context() as patch:
        patch.setattr(
            "bedrock_rft_sim.train.run.interruptible",
            lambda _announce, **_: contextlib.nullcontext(StopsAfterThreeSteps()),
        )
        stopped = run(recipe, name="run")
    assert (stopped.status, stopped.step) == ("Stopped", 3)
    resumed = run(recipe, name="run", resume=True)
    whole = run(recipe, name="whole")
    assert resumed.status == "Completed"
    assert compared(resumed.folder) == compared(whole.folder)
    folder = RunFolder.open(resumed.folder)
    assert folder.checkpoint_steps() == [2, 3, 4, 5]  # a step is a batch, however many updates
    epochs = [line.get("epoch") for line in folder.read_metrics()]
    assert epochs == [None, 0, 0, 0, 0, 0]
    logged = [line["step"] for line in read_json_lines(folder.trainer_log)]
    assert logged == [1, 2, 3, 3, 4, 5, 5]  # and a summary wherever training ended


def test_a_grader_that_breaks_midway_fails_the_run_and_keeps_the_steps_before(
    recipe_for: Callable[..., Recipe],
    run: Callable[..., RunResult],
    tmp_path: Path,
    mixed_reward: Path,
) -> None:
    calls = "import pathlib\ncalls = 0\n"
    breaking = mixed_reward.read_text().replace(
        "    return [",
        "    global calls\n    calls += 1\n    if calls > 4: raise ValueError('judge is gone')\n"
        "    return [",
    )
    mixed_reward.write_text(calls + breaking)
    recipe = recipe_for("local.maxSteps=6", "local.overrides.evalInterval=100")
    with pytest.raises(RehearsalError, match="judge is gone"):
        run(recipe)
    folder = RunFolder.open(tmp_path / "runs" / "run")
    assert folder.read_record()["status"] == "Failed"
    assert "judge is gone" in folder.read_record()["error"]
    assert [line["step"] for line in folder.read_metrics()] == [0, 1, 2]
    assert folder.read_events()[-1]["level"] == "error"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this platform has no /dev/full")
def test_a_full_disk_ends_the_run_with_one_message_and_keeps_what_was_written(
    recipe_for: Callable[..., Recipe],
    run: Callable[..., RunResult],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    append = RunFolder.append_metrics

    def disk_fills_up(self: RunFolder, values: dict[str, Any]) -> None:
        if values["step"] == 3:
            self.metrics.rename(self.path / "kept.jsonl")
            self.metrics.symlink_to("/dev/full")
        append(self, values)

    monkeypatch.setattr(RunFolder, "append_metrics", disk_fills_up)
    with pytest.raises(RunFolderError, match="No space left on device"):
        run(recipe_for("local.maxSteps=6"))
    folder = tmp_path / "runs" / "run"
    kept = [json.loads(line)["step"] for line in (folder / "kept.jsonl").read_text().splitlines()]
    assert kept == [0, 1, 2]
    assert json.loads((folder / "run.json").read_text())["status"] == "Failed"


def test_a_disk_that_fills_up_under_a_checkpoint_is_one_message(
    recipe_for: Callable[..., Recipe],
    run: Callable[..., RunResult],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_room(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("transformers.Trainer._save_optimizer_and_scheduler", no_room)
    with pytest.raises(RunFolderError, match=r"(?s)checkpoint.*No space left.*--resume"):
        run(recipe_for("local.maxSteps=4"))
    monkeypatch.undo()
    folder = RunFolder.open(tmp_path / "runs" / "run")
    assert folder.read_record()["status"] == "Failed"
    assert folder.checkpoint_steps() == []
    assert [line["step"] for line in folder.read_metrics()] == [0, 1, 2]


def test_a_run_killed_after_its_last_checkpoint_still_saves_the_trained_model(
    finished: tuple[Recipe, RunResult], tmp_path: Path
) -> None:
    recipe, whole = finished
    loses_its_model(recipe, reopened(whole.folder, tmp_path / "runs" / "run"))


@pytest.mark.slow
def test_so_do_adapters(recipe_for: Callable[..., Recipe], run: Callable[..., RunResult]) -> None:
    recipe = recipe_for("local.maxSteps=2", "local.training.method=lora")
    folder = run(recipe).folder
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**record, "status": "InProgress"}))
    loses_its_model(recipe, folder)


def loses_its_model(recipe: Recipe, folder: Path) -> None:
    """Take the model from a run that seems not to have ended, and see it come again."""
    weights = next((folder / "model").glob("*model.safetensors"))
    trained = weights.read_bytes()
    weights.unlink()
    ended = rehearse(recipe, parent=folder.parent, name=folder.name, resume=True)
    assert ended.status == "Completed"
    assert weights.read_bytes() == trained


def test_resuming_a_complete_run_changes_nothing_and_says_how_it_ended(
    finished: tuple[Recipe, RunResult], tmp_path: Path
) -> None:
    recipe, whole = finished
    folder = shutil.copytree(whole.folder, tmp_path / "runs" / "run")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = rehearse(recipe, parent=folder.parent, name="run", resume=True)
    assert again == replace(whole, folder=folder)
    assert {path: path.read_bytes() for path in before} == before


class Killed(BaseException):
    """Stands in for SIGKILL: nothing in the program catches it."""


def killed_at(method: str, is_it: Callable[..., bool], patch: pytest.MonkeyPatch) -> None:
    """Let the run folder's method kill the run instead, at the call that is it."""
    real = getattr(RunFolder, method)

    def killing(self: RunFolder, *values: Any, **fields: Any) -> None:
        if is_it(*values, **fields):
            raise Killed
        real(self, *values, **fields)

    patch.setattr(RunFolder, method, killing)


@pytest.mark.parametrize(
    ("method", "is_it"),
    [
        pytest.param("accept_model", lambda: True, id="model"),
        pytest.param(
            "append_event",
            lambda event: event["message"].startswith("Job completed"),
            id="event",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "write_report", lambda html: "Completed" in html, id="page", marks=pytest.mark.slow
        ),
        pytest.param(
            "write_record", lambda **fields: fields.get("status") == "Completed", id="status"
        ),
    ],
)
def test_an_end_that_a_kill_cut_off_is_written_whole_and_once(
    method: str,
    is_it: Callable[..., bool],
    recipe_for: Callable[..., Recipe],
    run: Callable[..., RunResult],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = recipe_for("local.maxSteps=1", "local.checkpointInterval=1")
    with monkeypatch.context() as patch:
        killed_at(method, is_it, patch)
        with pytest.raises(Killed):
            run(recipe)
    folder = RunFolder.open(tmp_path / "runs" / "run")
    assert folder.read_record()["status"] == "InProgress"
    resumed = run(recipe, resume=True)
    assert (resumed.status, resumed.signal.severity) == ("Completed", "clear")
    words = [event["message"] for event in folder.read_events()]
    assert (words[-1], words.count("Job completed")) == ("Job completed", 1)
    assert '"status":"Completed"' in folder.report.read_text().replace(" ", "")
    assert (folder.model / "model.safetensors").is_file()
    assert not list(folder.path.rglob("*.tmp"))


def test_a_complete_run_of_version_0_1_without_its_last_event_gets_it(
    finished: tuple[Recipe, RunResult], run: Callable[..., RunResult], tmp_path: Path
) -> None:
    recipe, whole = finished
    folder = RunFolder(shutil.copytree(whole.folder, tmp_path / "runs" / "run"))
    lines = folder.events.read_text().splitlines(keepends=True)
    folder.events.write_text("".join(lines[:-1]))
    folder.report.unlink()
    assert run(recipe, resume=True).status == "Completed"
    assert folder.last_message() == "Job completed"
    assert folder.report.is_file()


def reopened(folder: Path, at: Path) -> Path:
    """Return a copy of an ended run, as a kill before its end would have left it."""
    shutil.copytree(folder, at)
    record = json.loads((at / "run.json").read_text())
    (at / "run.json").write_text(json.dumps({**record, "status": "InProgress"}))
    return at


@pytest.mark.parametrize(
    ("name", "harm", "named"),
    [
        ("model.safetensors", lambda path: os.truncate(path, 1000), "has 1,000 of"),
        ("optimizer.pt", lambda path: os.truncate(path, 0), "has 0 of"),
    ],
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(
    name: str,
    harm: Callable[[Path], None],
    named: str,
    finished: tuple[Recipe, RunResult],
    tmp_path: Path,
) -> None:
    recipe, whole = finished
    folder = RunFolder(reopened(whole.folder, tmp_path / "runs" / "run"))
    harm(folder.checkpoint(3) / name)
    said: list[str] = []
    resumed = rehearse(recipe, parent=tmp_path / "runs", name="run", resume=True, say=said.append)
    assert resumed.status == "Completed"
    assert compared(resumed.folder) == compared(whole.folder)
    record = folder.read_record()
    assert record["resumed_from_step"] == 2
    (remark,) = resumed.remarks
    assert remark.startswith(f"The checkpoint of step 3 is damaged: {name} {named}")
    assert f"warning: {remark}" in said
    warned = [event["message"] for event in folder.read_events() if event["level"] == "warn"]
    assert warned == [remark]
    assert remark in Run.open(folder.path).remarks


HOLDS_THE_STATE = {
    "model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json",
    "manifest.json",
}  # fmt: skip


@pytest.mark.slow
def test_whatever_file_of_the_newest_checkpoint_is_damaged_the_run_ends_as_the_unbroken_one(
    finished: tuple[Recipe, RunResult], tmp_path: Path
) -> None:
    recipe, whole = finished
    newest = RunFolder(whole.folder).checkpoint(3)
    names = sorted(path.name for path in newest.iterdir())
    assert set(names) > HOLDS_THE_STATE
    weights = (whole.folder / "model" / "model.safetensors").read_bytes()
    ways = [cut, emptied, removed, flipped]  # that each is noticed on each: tests/runs
    for number, name in enumerate(names):
        for harm in ways[number % 2 :: 2] if name in HOLDS_THE_STATE else [ways[number % 4]]:
            folder = RunFolder(reopened(whole.folder, tmp_path / "runs" / "run"))
            harm(folder.checkpoint(3) / name)
            resumed = rehearse(recipe, parent=tmp_path / "runs", name="run", resume=True)
            told = f"{harm.__name__} {name}: {resumed.remarks}"
            assert (resumed.status, len(resumed.remarks)) == ("Completed", 1), told
            assert "The checkpoint of step 3 is damaged: " in resumed.remarks[0], told
            assert name in resumed.remarks[0] or (name, harm) == ("manifest.json", flipped), told
            assert compared(folder.path) == compared(whole.folder), told
            assert (folder.model / "model.safetensors").read_bytes() == weights, told
            shutil.rmtree(folder.path)


@pytest.mark.parametrize("are_gone", [False, True])
def test_a_run_without_a_whole_checkpoint_is_left_as_it_is(
    are_gone: bool, finished: tuple[Recipe, RunResult], tmp_path: Path
) -> None:
    recipe, whole = finished
    folder = RunFolder(reopened(whole.folder, tmp_path / "runs" / "run"))
    for step in folder.checkpoint_steps():
        os.truncate(folder.checkpoint(step) / "optimizer.pt", 0)
    if are_gone:
        shutil.rmtree(folder.checkpoints)
    before = folder.metrics.read_bytes()
    with pytest.raises(RunFolderError, match=r"(?s)no checkpoint.*step 3.*step 2") as caught:
        rehearse(recipe, parent=tmp_path / "runs", name="run", resume=True)
    assert ("it is missing" if are_gone else "optimizer.pt has 0 of") in str(caught.value)
    assert "room" not in str(caught.value)
    assert folder.metrics.read_bytes() == before
    assert folder.read_record()["status"] == "InProgress"


def test_a_name_is_never_reused_silently(finished: tuple[Recipe, RunResult]) -> None:
    recipe, whole = finished
    with pytest.raises(RunFolderError, match="--resume"):
        rehearse(recipe, parent=whole.folder.parent, name=whole.folder.name)


def test_another_recipe_is_not_resumed_into_the_same_run(
    finished: tuple[Recipe, RunResult], run: Callable[..., RunResult], tmp_path: Path
) -> None:
    recipe, whole = finished
    reopened(whole.folder, tmp_path / "runs" / "run")
    sets = ("local.maxSteps=3", "local.seed=7")
    home = whole.folder.parent.parent
    other = small_recipe(home, recipe.model, home / "mixed_reward.py", *sets)
    with pytest.raises(RunFolderError, match="recipe is not the one") as caught:
        run(other, resume=True)
    assert caught.value.expected == "local.seed 0, seed 0"
    assert caught.value.found == "local.seed 7, seed 7"
