"""Trackers get the run's own metrics: TensorBoard's real file, and stand-ins that take no more than
the real calls do (mlflow 3.17, trackio 0.43, wandb 0.31)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bedrock_rft_sim.errors import TrainingError
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.train.trackers import Trackers, scalars, start_trackers

WANDB = {
    "__init__.py": """
config, summary, run, logged, named = {}, {}, None, [], []
class Config(dict):
    def update(self, d, allow_val_change=None): dict.update(self, d)
class Run:
    id = "1"
    def __init__(self): self.summary = {}
    def _label(self, code=None): pass
def init(entity=None, project=None, dir=None, id=None, name=None, **more):
    global run, config
    run, config = Run(), Config()
    named.append((project, name))
    return run
def define_metric(name, step_metric=None, step_sync=None, hidden=None, summary=None): pass
def termwarn(string, newline=True, repeat=True): pass
def log(data, step=None, commit=None): logged.append(data)
def finish(exit_code=None):
    global run
    run = None
""",
    "sdk/__init__.py": "",
    "sdk/lib/__init__.py": "",
    "sdk/lib/config_util.py": "class ConfigError(Exception): pass\n",
}
TRACKIO = {
    "__init__.py": """
from types import SimpleNamespace
__version__ = "0.43.0"
context_vars = SimpleNamespace(current_space_id=SimpleNamespace(get=lambda: None))
logged, named, finished = [], [], []
class Config(dict):
    def update(self, d, allow_val_change=None): dict.update(self, d)
config = Config()
def init(project, name=None, group=None, space_id=None, server_url=None, dataset_id=None,
         bucket_id=None, config=None, resume="never", settings=None, private=None):
    named.append((project, name))
def log(metrics, step=None): logged.append((step, metrics))
def finish(): finished.append(True)
""",
}
MLFLOW = {
    "__init__.py": """
import os
from types import SimpleNamespace
from mlflow import utils
__version__ = "3.17.2"
logged, named, ended, active = [], [], [], []
def is_tracking_uri_set(): return False
def get_tracking_uri(): return None
def set_tracking_uri(uri): named.append(uri)
def active_run(): return active[-1] if active else None
def set_experiment(experiment_name=None, experiment_id=None): pass
def start_run(run_id=None, experiment_id=None, run_name=None, nested=False, parent_run_id=None):
    if os.environ.get("MLFLOW_TRACKING_URI") == "http://nobody":
        raise OSError("no answer from http://nobody")
    named.append(run_name)
    active.append(SimpleNamespace(info=SimpleNamespace(run_id="1")))
def log_params(params, synchronous=None, run_id=None): assert len(params) <= 100
def log_metrics(metrics, step=None, synchronous=None, run_id=None, timestamp=None):
    logged.append((step, metrics))
def end_run(status="FINISHED"): ended.append(active.pop())
""",
    "utils/__init__.py": "from mlflow.utils import validation\n",
    "utils/validation.py": "MAX_PARAM_VAL_LENGTH = 6000\nMAX_PARAMS_TAGS_PER_BATCH = 100\n",
}
STAND_INS = {"wandb": WANDB, "trackio": TRACKIO, "mlflow": MLFLOW}


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Install packages that keep what they are told; return a function that gives one of them."""
    for package, files in STAND_INS.items():
        for name, text in files.items():
            path = tmp_path / "packages" / package / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    for name in ("WANDB_PROJECT", "MLFLOW_TRACKING_URI", "TENSORBOARD_LOGGING_DIR"):
        monkeypatch.setenv(name, "")  # given back after the test, whoever sets it meanwhile
        monkeypatch.delenv(name)
    yield lambda name: sys.modules[name]  # type: ignore[misc]
    for name in [
        each for each in sys.modules if each.split(".")[0] in ("wandb", "trackio", "mlflow")
    ]:
        del sys.modules[name]


def test_every_tracker_gets_the_metrics_of_each_step_under_bedrock_s_names(
    recipe_for: Callable[..., Recipe],
    run: Callable[..., Any],
    stand_ins: Callable[[str], Any],
) -> None:
    names = "local.reportTo=[tensorboard, wandb, trackio, mlflow]"
    result = run(recipe_for(names, "local.maxSteps=2"), name="tracked")
    folder = RunFolder.open(result.folder)
    lines = {line["step"]: scalars(line) for line in folder.read_metrics()}
    assert sorted(lines) == [0, 1, 2]
    assert {"critic_rewards_mean", "validation_rewards_mean"} <= lines[2].keys()
    assert "local_seconds/generate" in lines[2]

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    written = EventAccumulator(str(folder.tensorboard)).Reload()
    seen: dict[int, dict[str, float]] = {}
    for tag in written.Tags()["scalars"]:
        for event in written.Scalars(tag):
            seen.setdefault(event.step, {})[tag] = event.value
    assert seen == {step: pytest.approx(values, rel=1e-6) for step, values in lines.items()}

    wandb, trackio, mlflow = map(stand_ins, ("wandb", "trackio", "mlflow"))
    assert [dict(each) for each in wandb.logged] == [
        {**values, "train/global_step": step} for step, values in lines.items()
    ]
    assert trackio.logged == list(lines.items())
    assert mlflow.logged == list(lines.items())
    assert wandb.named == trackio.named == [("bedrock-rft-sim", "tracked")]
    assert mlflow.named == ["tracked"]
    assert wandb.run is None
    assert len(trackio.finished) == len(mlflow.ended) == 1


class Fake:
    """A run as far as trackers see it."""

    def __init__(self, recipe: Recipe, path: Path) -> None:
        from transformers import TrainerControl, TrainerState, TrainingArguments

        self.said: list[str] = []
        self.events: list[dict[str, Any]] = []
        folder = SimpleNamespace(
            name="fake", tensorboard=path / "tensorboard", append_event=self.events.append
        )
        self.rehearsal: Any = SimpleNamespace(recipe=recipe, folder=folder, say=self.said.append)
        self.trainer: Any = SimpleNamespace(
            args=TrainingArguments(output_dir=str(path), report_to="none"),
            state=TrainerState(is_world_process_zero=True), control=TrainerControl(),
            model=None, processing_class=None,
        )  # fmt: skip

    def start(self) -> Trackers:
        return start_trackers(self.rehearsal, self.trainer)


def test_a_tracker_that_can_not_be_started_is_one_message(
    recipe_for: Callable[..., Recipe],
    stand_ins: Callable[[str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://nobody")
    with pytest.raises(TrainingError, match="the tracker mlflow can't be started") as raised:
        Fake(recipe_for("local.reportTo=[mlflow]"), tmp_path).start()
    assert raised.value.found == "no answer from http://nobody"
    assert raised.value.where is not None
    assert "reportTo" in raised.value.where


def test_a_tracker_that_fails_on_the_way_is_left_out_with_a_word_and_the_others_go_on(
    recipe_for: Callable[..., Recipe], stand_ins: Callable[[str], Any], tmp_path: Path
) -> None:
    fake = Fake(recipe_for("local.reportTo=[trackio, mlflow]"), tmp_path)
    trackers = fake.start()
    trackio, mlflow = stand_ins("trackio"), stand_ins("mlflow")
    trackio.log = lambda _metrics, step: 1 / 0
    for step in (1, 2):
        trackers.step({"step": step, "critic_rewards_mean": 0.5})
    trackers.ended({})
    assert [step for step, _ in mlflow.logged] == [1, 2]
    assert fake.said == ["warning: The tracker trackio failed and gets no more: division by zero"]
    assert [event["level"] for event in fake.events] == ["warn"]
    assert not trackio.finished


def test_of_a_metric_line_what_is_missing_or_no_number_is_not_sent() -> None:
    line = {
        "step": 3, "epoch": 0, "actor_entropy": None, "local_non_finite": ["kl"],
        "local_seconds": {"generate": 1.5, "grade": None}, "local_reward_components": {},
    }  # fmt: skip
    assert scalars(line) == {"epoch": 0, "local_seconds/generate": 1.5}


def test_a_name_that_mlflow_refuses_is_written_with_underscores(
    recipe_for: Callable[..., Recipe], stand_ins: Callable[[str], Any], tmp_path: Path
) -> None:
    trackers = Fake(recipe_for("local.reportTo=[mlflow]"), tmp_path).start()
    trackers.step({"step": 1, "local_reward_components": {"richtig?": 1.0}})
    assert stand_ins("mlflow").logged == [(1, {"local_reward_components/richtig_": 1.0})]
