"""Every reward that is shipped passes the audit; what is waived, and why, is written here."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.dataset import read_rows
from sim.grader import LambdaLimits
from sim.grader.audit import AuditSettings, RewardFile, audit
from sim.grader.audit.saved import read_replies
from sim.recipe.shipped import shipped_rewards

ROWS = Path(__file__).parent.parent / "rewards" / "rows"
FORM_ONLY = "grades the form of an answer by intent and never looks at the value; for a composite"
WAIVERS = {
    "answer_format": dict.fromkeys(
        (
            "wrong-value",
            "changed-digit",
            "other-answer",
            "all-numbers",
            "hidden-answer",
            "padding",
            "unicode-digits",
            "nan-inf",
        ),
        FORM_ONLY,
    ),
    "numeric_tolerance": {
        "changed-digit": "a value within the tolerance counts as right by intent (FinQA's rule)"
    },
    "adaptive": {
        "repeat": "its weights move with what it has graded, by intent; see its docstring"
    },
}
# The judge's answers come from a model; it is audited with a stand-in for one.
NEEDS_A_MODEL = {"llm_judge"}
# Each answer starts a process of its own.
SLOW = {"code_tests"}


@pytest.mark.parametrize("name", sorted(shipped_rewards().keys() - NEEDS_A_MODEL))
def test_a_shipped_reward_passes_its_audit(name):
    waivers = WAIVERS.get(name, {})
    report = audit(
        RewardFile(shipped_rewards()[name], limits=LambdaLimits(timeout_s=60, memory_mb=512)),
        list(read_rows(ROWS / f"{name}.jsonl")),
        settings=AuditSettings(rows=2 if name in SLOW else None),
        replies=read_replies(ROWS / f"{name}.replies.jsonl"),
        waivers=waivers,
    )
    assert report.ok, [finding.what for finding in report.errors]
    assert report.unneeded_waivers == ()
    assert all(result.ok for result in report.profiles)
    warnings = [each for each in report.findings if each.severity == "warning" and not each.waived]
    assert warnings == []


def test_no_waiver_is_left_over():
    assert WAIVERS.keys() <= shipped_rewards().keys()
