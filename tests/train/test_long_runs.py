"""A long run stays linear: a late step reads, writes and keeps no more than an early one."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bedrock_rft_sim.cli.progress import Progress
from bedrock_rft_sim.data import plan
from bedrock_rft_sim.data.plan import Data, Steps
from bedrock_rft_sim.data.tokens import load_tokenizer
from bedrock_rft_sim.engine.device import choose_device
from bedrock_rft_sim.engine.sampler import Answer, Engine
from bedrock_rft_sim.grader import Grade
from bedrock_rft_sim.grader.samples import GradedBatch, Invocation
from bedrock_rft_sim.recipe import Recipe
from bedrock_rft_sim.report import PageDuringRun
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.runs.rollouts import Rollout
from bedrock_rft_sim.train.interrupt import Interrupt
from bedrock_rft_sim.train.record import Rehearsal, StepRecorder

STEPS, PART = 400, 100
LOG = {"loss": 0.1, "grad_norm": 1.0}
NATIVE = Engine("native", "")


class StubSampler:
    """What the recorder sees of a sampler."""

    engine = NATIVE


class StubValidation:
    """Validates one prompt, ever better."""

    def __len__(self) -> int:
        return 1

    def rollouts(self, step: int, *_: Any) -> list[Rollout]:
        grade = step / STEPS
        return [Rollout(step, "p", 0, "text", [1, 2], "stop", grade, components=[], advantage=None)]


def take_step(recorder: StepRecorder, rows: Any, step: int) -> None:
    answers = [Answer([1, 2, 3], "text", "stop")] * len(rows)
    recorder.sampled(answers, NATIVE)
    grades = [Grade(str(place), place % 2, ()) for place in range(len(rows))]
    samples = [place % 4 for place in range(len(rows))]
    batch = GradedBatch(tuple(grades), (Invocation(0.1, None, None, len(rows), 1),))
    recorder.graded(rows, samples, ["text"] * len(rows), batch)
    recorder.token_scores(range(len(rows)), {"entropy": [0.5] * len(rows)})
    recorder.logged(step, {"step": step, **LOG}, StubSampler())


def recorder_of(
    recipe: Recipe, data: Data, steps: Steps, folder: RunFolder, watching: list[Any]
) -> StepRecorder:
    device = choose_device("cpu", "float32")
    rehearsal = Rehearsal(recipe, data, steps, folder, device, print, watching)
    return StepRecorder(rehearsal, StubValidation(), Interrupt())


def bytes_moved() -> list[int]:
    """Return what this thread has read and written so far; others may talk to whoever runs it."""
    counters = Path("/proc/thread-self/io")
    if not counters.exists():
        pytest.skip("this system does not count the bytes that a thread reads")
    lines = dict(line.split(": ") for line in counters.read_text().splitlines())
    return [int(lines["rchar"]), int(lines["wchar"])]


def test_a_late_step_reads_writes_and_keeps_as_much_as_an_early_one(
    recipe_for: Callable[..., Recipe], tmp_path: Path
) -> None:
    recipe = recipe_for("local.earlyStopping={patience: 9, minGain: 0.0}")
    data = plan.read_data(recipe, load_tokenizer(recipe.model))
    steps = Steps(STEPS, STEPS, STEPS, checkpoints=(), validations=tuple(range(0, STEPS, 5)))
    moved, kept = [bytes_moved()], []
    with RunFolder.create(tmp_path, "long") as folder:
        folder.write_prompts(data.train, data.validation)
        page = PageDuringRun(folder, clock=lambda: 0.0)  # written once; then it is never time
        watching = [page, Progress(io.StringIO())]
        recorder = recorder_of(recipe, data, steps, folder, watching)
        recorder.start(StubSampler())
        tracemalloc.start()
        for step in range(1, STEPS + 1):
            take_step(recorder, data.train[:4] * 4, step)
            if step % PART == 0:
                moved.append(bytes_moved())
                kept.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    parts = [
        [after - before for before, after in zip(*pair, strict=True)] for pair in pairwise(moved)
    ]
    (_, (read_early, written_early), *_, (read_late, written_late)) = parts
    assert read_late - read_early < PART  # less than a byte a step
    assert written_late - written_early < 10 * PART  # longer numbers
    # A validation's reward is kept for the rule, and the last 4,096 lines in rich's own cache, some
    # 300 bytes a step; a line of metrics has ten times as many.
    assert kept[-1] - kept[1] < 2 * PART * 1000


class SlowPage:
    """An observer that takes 100 s to write its page."""

    def __init__(self, now: list[float]) -> None:
        self._now = now

    def step(self, _line: Any) -> None:
        self._now[0] += 100

    def ended(self) -> None: ...


def test_the_page_is_written_outside_the_time_of_the_steps(
    recipe_for: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    clock = SimpleNamespace(perf_counter=lambda: now[0])
    monkeypatch.setattr("bedrock_rft_sim.train.clock.time", clock)
    recipe = recipe_for()
    data = plan.read_data(recipe, load_tokenizer(recipe.model))
    with RunFolder.create(tmp_path, "slow") as folder:
        steps = Steps(3, 3, 3, checkpoints=(), validations=(0, 2))
        recorder = recorder_of(recipe, data, steps, folder, [SlowPage(now)])
        recorder.start(StubSampler())
        for step in (1, 2, 3):
            now[0] += step
            take_step(recorder, data.train[:4] * 4, step)
        assert now[0] > 400
        assert [line["local_seconds"]["total"] for line in folder.read_metrics()] == [0, 1, 2, 3]
