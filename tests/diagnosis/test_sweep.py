"""What settings did to a model, compared with the noise of its validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from bedrock_rft_sim.diagnosis.sweep import diagnose_setting


@dataclass
class Ended:
    status: str = "completed"
    why: str | None = None
    validation_before: float | None = None
    gain: float | None = None
    noise: float | None = None
    problems: Sequence[str] = ()


BEHAVIOURS = [
    ({"gain": 0.2, "noise": 0.05}, "gains"),
    ({"gain": 0.09, "noise": 0.05}, "is flat"),
    ({"gain": 0.0, "noise": 0.0}, "is flat"),
    ({"gain": -0.08, "noise": 0.02}, "loses"),
    ({"gain": -0.3, "noise": 0.05, "validation_before": 0.6}, "collapses"),
    ({"gain": -0.3, "noise": 0.2}, "is flat"),
    ({"gain": 0.01, "noise": 0.05, "problems": ("entropy collapse",)}, "collapses"),
    ({"gain": 0.4, "noise": 0.05, "problems": ("entropy collapse",)}, "gains"),
    ({"gain": None, "noise": None}, "cannot tell"),
]


@pytest.mark.parametrize(("numbers", "kind"), BEHAVIOURS)
def test_a_run_is_judged_by_its_gain_against_the_noise_of_its_prompts(numbers: Any, kind: str):
    assert diagnose_setting([Ended(**numbers)]).rule == kind


def test_a_collapse_says_in_how_many_runs_and_how_far():
    fallen = Ended(gain=-0.5, noise=0.05, validation_before=0.6, problems=("reward falling",))
    finding = diagnose_setting([Ended(gain=0.1, noise=0.03, validation_before=0.6), fallen])
    assert finding.severity == "problem"
    assert finding.says == "in 1 of 2 runs, validation from 0.600 down to 0.100; reward falling"


def test_settings_without_a_result_say_why():
    failed = diagnose_setting([Ended("failed", "out of memory\nmore")])
    assert (failed.rule, failed.says) == ("failed", "out of memory")
    assert diagnose_setting([Ended("pruned", "behind")]).rule == "pruned"
    assert diagnose_setting([]).rule == "cannot tell"
