"""Several processes of a launcher make one run, on the CPU by gloo: the same one as one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from safetensors.numpy import load_file
from scipy.stats import ks_2samp, spearmanr

from bedrock_rft_sim.engine.sampler import Sampler
from bedrock_rft_sim.errors import RecipeError, RunFolderError, TrainingError
from bedrock_rft_sim.grader.container import Fault
from bedrock_rft_sim.grader.grader import FaultError
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.runs.rollouts import Rollout
from bedrock_rft_sim.train.run import RunResult, _open_folder, rehearse
from bedrock_rft_sim.train.world import (
    ALONE,
    STOPPED,
    World,
    demand_launcher,
    demand_served,
    for_others,
)
from tests.run_folders import write_run
from tests.train.canned_runs import run_all
from tests.train.test_interruption import STDERR, run_command, wait_for_lines

METHODS = {
    "full": "model.safetensors",
    "lora": "adapter_model.safetensors",
    "sharded": "adapter_model.safetensors",
}
PADDED = "FSDP shares out its weights"
SEEDS = [str(seed) for seed in range(int(os.environ.get("WORLD_SEEDS", "3")))]
"""Of runs that really sample; ten were compared once."""
OWN = ("seconds", "memory", "latency", "cold_starts", "per_second")
"""Parts of the names of numbers that each run has for itself."""


def test_a_batch_that_processes_can_t_share_equally_is_refused(
    recipe_for: Callable[..., Recipe],
) -> None:
    with pytest.raises(RecipeError, match="can't be shared equally") as refused:
        demand_served(recipe_for(), World(size=3))
    assert "multiple of 3 processes\n  found: 16" in str(refused.value)
    demand_served(recipe_for(), World(size=4))


def test_a_process_of_several_that_no_launcher_started_is_refused(
    recipe_for: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingError, match="no launcher started this one"):
        rehearse(recipe_for(), parent=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_one_gpu_is_not_named_for_all_processes(recipe_for: Callable[..., Recipe]) -> None:
    with pytest.raises(RecipeError, match="one GPU is named"):
        demand_served(recipe_for("local.device=cuda:1"), World(size=2))


def test_weights_of_four_bits_are_not_shared_out(
    recipe_for: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    nf4 = recipe_for("local.training.method=lora", "local.training.quantization=nf4")
    demand_served(nf4, World(size=2))
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(RecipeError, match="can't be shared out"):
        demand_served(nf4, World(size=2))


@pytest.mark.parametrize(
    ("variables", "remedy"),
    [
        ({"USE_PARALLELISM_CONFIG": "true"}, None),
        ({"USE_PARALLELISM_CONFIG": "true", "CP": "2"}, "parallelism_config_cp_size"),
        ({"USE_FSDP": "true", "STATE_DICT_TYPE": "FULL_STATE_DICT"}, "fsdp_version: 2"),
        ({"USE_FSDP": "true", "VERSION": "2"}, "fsdp_state_dict_type: FULL_STATE_DICT"),
        (
            {"USE_FSDP": "true", "VERSION": "2", "STATE_DICT_TYPE": "FULL_STATE_DICT"},
            None,
        ),
        ({"USE_DEEPSPEED": "true"}, "pip install deepspeed"),
    ],
)
def test_what_a_run_can_t_do_is_refused_before_anything_is_loaded(
    variables: dict[str, str], remedy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bedrock_rft_sim.train.world.find_spec", lambda _name: None)
    for name, value in variables.items():
        prefix = "ACCELERATE_" if name.startswith("USE_") else "FSDP_"
        full = "PARALLELISM_CONFIG_CP_SIZE" if name == "CP" else prefix + name
        monkeypatch.setenv(full, value)
    if remedy is None:
        demand_launcher()
    else:
        with pytest.raises(TrainingError, match=remedy):
            demand_launcher()


def test_an_error_of_any_kind_travels_with_its_words() -> None:
    fault = FaultError(Fault("Runtime.Error", "no"), attempts=2, where="r.py", found="x", hint="y")
    for error in (fault, RunFolderError("the disk is full", where="run", hint="make room")):
        arrived = for_others(error)
        assert str(arrived) == str(error)
        assert isinstance(error, type(arrived))
    assert "ValueError: odd" in str(for_others(ValueError("odd")))


class BesideAnother(World):
    """A world whose second process, on another machine, read other data."""

    def gather(self, values: Sequence[Any]) -> list[Any]:
        return [*values, ("node2", {"recipe": "a", "data": "c"})]


def test_a_machine_with_other_data_is_named() -> None:
    with pytest.raises(TrainingError, match="do not read the same data") as refused:
        BesideAnother(size=2).demand_alike({"recipe": "a", "data": "b"})
    assert "process 1, on node2" in str(refused.value)
    assert "found: c" in str(refused.value)


class SecondProcess(World):
    """Is not the main one, which has just made the folder."""

    def gather(self, values: Sequence[Any]) -> list[Any]:
        return list(values)

    def on_main(self, work: Callable[[], Any]) -> None:
        pass


def test_a_folder_that_a_network_disk_shows_late_is_shared_and_one_that_it_never_shows_is_not(
    recipe_for: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second, recipe = SecondProcess(rank=1, size=2), recipe_for()
    late = threading.Timer(0.3, write_run, (tmp_path, "late"))
    late.start()
    assert _open_folder(tmp_path, "late", recipe, {}, second, resume=False).path.name == "late"
    late.join()
    monkeypatch.setattr("bedrock_rft_sim.train.run.APPEARS_S", 0.1)
    with pytest.raises(RunFolderError, match="do not share its folder"):
        _open_folder(tmp_path, "never", recipe, {}, second, resume=False)


class Store:
    """Stands in for the launcher's, with the last words of another process."""

    def __init__(self, words: str) -> None:
        self.words = words

    def check(self, _names: list[str]) -> bool:
        return True

    def get(self, _name: str) -> bytes:
        return self.words.encode()


def test_a_process_that_left_is_quoted_and_one_that_was_stopped_stops_the_others() -> None:
    gone = RuntimeError("gloo: Connection closed by peer")
    with (
        pytest.raises(TrainingError, match="found: no memory is left"),
        World(size=2, store=Store("no memory is left")).named_errors(),
    ):
        raise gone
    with pytest.raises(KeyboardInterrupt), World(size=2, store=Store(STOPPED)).named_errors():
        raise gone
    with pytest.raises(RuntimeError, match="mine"), World(size=2).named_errors():
        raise RuntimeError("mine")


@pytest.mark.parametrize(
    ("wrote", "resumes", "is_trained", "expected"),
    [
        (False, False, False, None),
        (True, True, False, None),
        (True, False, True, None),
        (True, False, False, "expected: FSDP"),
        (False, True, False, "expected: no FSDP"),
        (True, True, True, "expected: one process"),
    ],
)
def test_a_checkpoint_of_fsdp_is_resumed_by_fsdp(
    wrote: bool, resumes: bool, is_trained: bool, expected: str | None, tmp_path: Path
) -> None:
    from bedrock_rft_sim.train.sharded import OF_FSDP, demand_resumable

    if wrote:
        (tmp_path / OF_FSDP).touch()
    trainer = SimpleNamespace(is_fsdp_enabled=resumes, _dist=SimpleNamespace(is_zero3=False))
    if expected is None:
        demand_resumable(trainer, tmp_path, is_trained=is_trained)
    else:
        with pytest.raises(RunFolderError, match=expected):
            demand_resumable(trainer, tmp_path, is_trained=is_trained)


def test_a_world_of_one_waits_for_nobody() -> None:
    assert ALONE.gather([1, 2]) == [1, 2]
    assert ALONE.from_main(lambda: 3) == ALONE.on_main(lambda: 3) == 3
    with pytest.raises(ValueError, match="mine"), ALONE.named_errors():
        ALONE.on_main(lambda: int("mine"))


def torchrun(*arguments: str, processes: int = 2) -> list[str]:
    """Return the command that starts so many processes of a module."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return [*launcher, "--nproc-per-node", str(processes), "-m", *arguments]


@pytest.fixture(scope="module")
def model(small_model: Callable[..., Path]) -> str:
    return str(small_model("qwen3"))


@pytest.fixture(scope="module")
def alone(model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the runs of one process with canned answers."""
    folder = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sampler, "sample", Sampler.sample)  # so that it is put back
        run_all(folder, model, [*METHODS, "early", *SEEDS])
    return folder / "runs"


@pytest.fixture(scope="module")
def together(model: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the folder of the same runs of two processes, one of which fails, and its output."""
    folder = tmp_path_factory.mktemp("together")
    names = [*METHODS, "early", *SEEDS, "raises"]
    command = torchrun("tests.train.canned_runs", str(folder), model, *names)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert (folder / "runs" / "raises").exists(), done.stdout + done.stderr
    assert done.returncode == 1
    return folder / "runs", done.stdout


def environment() -> dict[str, str]:
    """Return the environment of processes that import this package and its tests."""
    root = Path(__file__).parents[2]
    paths = [str(root / "sim"), str(root), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


def numbers(line: dict[str, Any]) -> dict[str, float]:
    """Return the numbers of a metrics line; those of a nested part by both names."""
    flat = dict(line)
    for name, value in line.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{part}": each for part, each in flat.pop(name).items()}
    return {name: v for name, v in flat.items() if not any(part in name for part in OWN)}


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_two_processes_sample_grade_and_learn_what_one_does(
    alone: Path, together: tuple[Path, str], method: str
) -> None:
    one, two = RunFolder.open(alone / method), RunFolder.open(together[0] / method)
    record = two.read_record()
    assert (record["status"], record["world_size"], record["launcher"]) == (
        "Completed",
        2,
        "torchrun",
    )
    assert one.read_record()["launcher"] is None
    assert one.read_record()["update"] == {"name": "packed", "why": None}
    if method == "sharded":
        assert record["update"] == {"name": "padded", "why": PADDED}
        assert record["engine"]["name"] == "transformers"
        assert PADDED in record["engine"]["why"]
    else:
        assert record["update"] == {"name": "packed", "why": None}
    assert two.checkpoint_steps() == one.checkpoint_steps() == [2, 3]
    for step in (1, 2, 3):
        for mine, ours in zip(one.read_rollouts(step), two.read_rollouts(step), strict=True):
            assert unscored(ours) == unscored(mine)
            assert ours.entropy == pytest.approx(mine.entropy, abs=1e-5)
            assert ours.logprob == pytest.approx(mine.logprob, abs=1e-4)
    assert two.validation_steps() == one.validation_steps() == [0, 2, 3]
    for step in one.validation_steps():
        assert two.read_validation(step) == one.read_validation(step)
    for mine, ours in zip(one.read_metrics(), two.read_metrics(), strict=True):
        assert numbers(ours) == pytest.approx(numbers(mine), abs=1e-6)
    weights, learned = (load_file(folder.model / METHODS[method]) for folder in (one, two))
    assert learned.keys() == weights.keys()
    for name, expected in weights.items():
        assert learned[name] == pytest.approx(expected, abs=1e-5)


def unscored(rollout: Rollout) -> Rollout:
    """Return it without what passes of the policy saw, which is rounded."""
    return replace(rollout, entropy=None, logprob=None, kl=None)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["first_token", "grade", "entropy", "logprob"])
def test_two_processes_draw_their_answers_from_the_distribution_of_one(
    alone: Path, together: tuple[Path, str], what: str
) -> None:
    """By a test of Kolmogorov and Smirnov over all rollouts, each of which is a draw of its own."""
    one, two = (
        [
            rollout.tokens[0] if what == "first_token" else getattr(rollout, what)
            for seed in SEEDS
            for step in (1, 2)
            for rollout in RunFolder.open(parent / seed).read_rollouts(step)
        ]
        for parent in (alone, together[0])
    )
    assert len(one) == len(two) == len(SEEDS) * 2 * 16
    assert ks_2samp(one, two, method="asymp").pvalue > 0.001


@pytest.mark.slow
def test_two_processes_draw_other_random_numbers(together: tuple[Path, str]) -> None:
    """An untrained model hardly heeds its prompt, so equal numbers would draw like tokens."""
    firsts = [
        [rollout.tokens[0] for rollout in RunFolder.open(together[0] / seed).read_rollouts(step)]
        for seed in SEEDS
        for step in (1, 2)
    ]
    mine = [token for tokens in firsts for token in tokens[:8]]
    theirs = [token for tokens in firsts for token in tokens[8:]]
    assert abs(spearmanr(mine, theirs).statistic) < 0.5


@pytest.mark.slow
def test_early_stopping_ends_every_process_at_the_same_step(
    alone: Path, together: tuple[Path, str]
) -> None:
    one, two = RunFolder.open(alone / "early"), RunFolder.open(together[0] / "early")
    assert two.read_record()["early_stopping"] == one.read_record()["early_stopping"]
    assert [line["step"] for line in two.read_metrics()] == [0, 1, 2]
    assert two.checkpoint_steps() == [2]


@pytest.mark.slow
def test_a_reward_that_raises_ends_every_process_with_its_message(
    together: tuple[Path, str],
) -> None:
    folder, output = together
    said = [line for line in output.splitlines() if line.startswith("process ")]
    words = "the handler failed (4 attempts): ValueError: the judge is gone"
    assert sorted(said) == [f"process 0: {words}", f"process 1: {words}"]
    two = RunFolder.open(folder / "raises")
    assert two.read_record()["status"] == "Failed"
    assert [line["step"] for line in two.read_metrics()] == [0, 1]


def start_two(recipe: Recipe, parent: Path) -> subprocess.Popen[bytes]:
    """Run the recipe by command line in two processes, as a user would."""
    command = torchrun(*run_command(recipe, parent))
    with (parent.parent / STDERR).open("wb") as stderr:
        return subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=stderr, env=environment()
        )


def ranks(launcher: subprocess.Popen[bytes]) -> dict[int, psutil.Process]:
    """Return the launcher's processes."""
    children = psutil.Process(launcher.pid).children()
    return {int(each.environ()["RANK"]): each for each in children if "RANK" in each.environ()}


@pytest.mark.slow
def test_a_killed_process_ends_the_other_and_leaves_a_run_that_one_process_finishes(
    recipe_for: Callable[..., Recipe], run: Callable[..., RunResult], tmp_path: Path
) -> None:
    recipe = recipe_for("local.maxSteps=20", rows=80)
    launcher = start_two(recipe, tmp_path / "runs")
    folder = tmp_path / "runs" / "run"
    wait_for_lines(folder / "metrics.jsonl", 4, launcher)
    ranks(launcher)[1].kill()
    assert launcher.wait(timeout=60) != 0
    record = RunFolder.open(folder).read_record()
    assert record["status"] == "Failed"
    assert "another process of the run has ended" in record["error"]
    resumed = run(recipe, name="run", resume=True)
    assert resumed.status == "Completed"
    whole = RunFolder.open(folder)
    assert [line["step"] for line in whole.read_metrics()] == list(range(21))
    assert whole.read_record()["world_size"] == 1
    told = [event["message"] for event in whole.read_events()]
    assert any("in 1 process after 2" in words for words in told)


@pytest.mark.slow
def test_ctrl_c_stops_every_process_after_the_step(
    recipe_for: Callable[..., Recipe], tmp_path: Path
) -> None:
    launcher = start_two(recipe_for("local.maxSteps=500", rows=2000), tmp_path / "runs")
    folder = tmp_path / "runs" / "run"
    wait_for_lines(folder / "metrics.jsonl", 3, launcher)
    launcher.send_signal(signal.SIGINT)
    launcher.wait(timeout=60)
    two = RunFolder.open(folder)
    steps = [line["step"] for line in two.read_metrics()]
    assert two.read_record()["status"] == "Stopped"
    assert steps == list(range(len(steps)))
    assert two.checkpoint_steps()[-1] == steps[-1]
    assert (folder / "model" / "model.safetensors").is_file()


SLOW_FROM_STEP_1 = """
import time
calls = 0
def lambda_handler(event, context):
    global calls
    calls += 1
    if calls > 3:  # after the check of the reward, in both phrasings, and the first validation
        time.sleep(60)
    return [{"id": sample["id"], "aggregate_reward_score": 0.0} for sample in event]
"""


@pytest.mark.slow
def test_a_second_signal_ends_every_process_at_once(
    recipe_for: Callable[..., Recipe], tmp_path: Path, mixed_reward: Path
) -> None:
    mixed_reward.write_text(SLOW_FROM_STEP_1)
    launcher = start_two(recipe_for("local.maxSteps=3"), tmp_path / "runs")
    folder = tmp_path / "runs" / "run"
    wait_for_lines(folder / "metrics.jsonl", 1, launcher)
    found = ranks(launcher)
    for pause in (1.5, 0.0):
        for each in found.values():
            each.send_signal(signal.SIGINT)
        time.sleep(pause)
    launcher.wait(timeout=45)
    two = RunFolder.open(folder)
    assert two.read_record()["status"] == "Stopped"
    assert [line["step"] for line in two.read_metrics()] == [0]
