"""A small run, written as a run writes it, with answers that try to break out of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.data import Row
from bedrock_rft_sim.runs import RunFolder
from bedrock_rft_sim.runs.metrics import step_metrics
from bedrock_rft_sim.runs.rollouts import Rollout, group_advantages
from tests.run_folders import write_run

HOSTILE = (
    "</script><script>document.title='broken'</script>",
    "<img src=x onerror=\"document.title='broken'\">",
    "line\u2028separator\u2029 and \x1b[31mred\x07",
    "\u202egnirts desrever\u202c",
    "<!--<script>",
    "half \ud800 a pair",
    "&lt;b&gt; {{ 7 * 7 }} ${7*7}",
    "#### 42",
)
STEPS = 4
GROUP = len(HOSTILE)


@pytest.fixture(autouse=True)
def _each_curve_once(each_curve_once: None) -> None:
    """Spare the pages of this room their curves."""


class Timing:
    """One invocation of the reward."""

    duration_s = 0.01
    init_s = None
    samples = 1
    errors = ()


def rows() -> list[Row]:
    """Two prompts; the second is hostile too."""
    asked = ("What is 6 times 7?", "</script><b>bold</b> \u202e")
    return [
        Row(
            id=f"row-{index}",
            messages=({"role": "user", "content": text},),
            reference_answer={"final_answer": "42", "weight": 1.0},
            extra={"task_id": f"</script>{index}", "big": 12345678901234567890},
            source="rows.jsonl",
            line=index + 1,
        )
        for index, text in enumerate(asked)
    ]


def answers(step: int) -> list[Rollout]:
    """Two groups of hostile answers; only the last of a group is right."""
    scores = [[float(sample >= GROUP - 1 - step) for sample in range(GROUP)] for _ in rows()]
    return [
        _answer(step, row, sample, scores[place][sample], advantages[sample])
        for place, (row, advantages) in enumerate(
            zip(rows(), group_advantages(scores), strict=True)
        )
        for sample in range(GROUP)
    ]


def _answer(step: int, row: Row, sample: int, grade: float, advantage: float) -> Rollout:
    return Rollout(
        step=step,
        prompt_id=row.id,
        sample=sample,
        text=HOSTILE[sample],
        tokens=[1, 2, 3],
        stop_reason="length" if sample == 0 else "stop",
        grade=grade,
        components=[
            {"name": "<i>accuracy</i>", "value": grade, "type": "Reward"},
            {"name": "answer_found", "value": float(sample % 2), "type": "Metric"},
        ],
        advantage=advantage,
        entropy=0.5,
        logprob=-3.0 * sample,
        kl=0.0,
    )


def add_step(run: RunFolder, step: int, *, total: int = STEPS) -> None:
    """Write one step as the recorder does: the metrics line last."""
    validation = [replace(a, advantage=None) for a in answers(step) if a.sample == 7]
    sampled = answers(step) if step else []
    if step % 2 == 0:
        run.write_validation(step, validation)
    if step:
        run.write_rollouts(step, sampled)
    line = step_metrics(
        sampled,
        step=step,
        total_steps=total,
        grad_norm=0.3 if step else None,
        invocations=[Timing()] if step else (),
        seconds={"generate": 1.0, "total": 2.0},
        validation=validation if step % 2 == 0 else None,
    )
    run.append_metrics(line)


def make_run(parent: Path, name: str = "run", *, steps: int = STEPS, **record: Any) -> RunFolder:
    """Write a run of this many steps and give it back, open for writing."""
    fields: dict[str, Any] = {
        "steps": {"total": STEPS, "validations": [0, 2, 4]},
        "device": {"type": "cpu", "name": "x"},
        "seed": 0,
        "versions": {"torch": "2"},
        "git_revision": None,
        "recipe_hash": "a",
        "reward_hash": "b",
        "data_hash": "c",
        "started": "2026-11-23T03:00:00+00:00",
        "ended": "2026-11-23T03:03:05+00:00",
    }
    run = write_run(parent, name, prompts=(rows(), rows()), **{**fields, **record})
    for step in range(steps + 1):
        add_step(run, step)
    return run


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    """Return a completed run, open for writing."""
    with make_run(tmp_path) as run:
        yield run


@pytest.fixture
def grow() -> Callable[[RunFolder, int], None]:
    """Return the function that adds one step to a run."""
    return add_step
