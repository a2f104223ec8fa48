"""Every reward that is shipped passes the audit; what is waived, and why, is written here."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from bedrock_rft_sim.contract.lambda_variables import RESERVED
from bedrock_rft_sim.data import read_rows
from bedrock_rft_sim.grader.audit import AuditSettings, audit
from bedrock_rft_sim.grader.audit.saved_answers import read_replies
from bedrock_rft_sim.grader.reward import RewardFile
from bedrock_rft_sim.grader.samples import LambdaLimits
from bedrock_rft_sim.recipe.shipped import shipped_rewards

REWARDS = Path(__file__).parent.parent / "rewards"
ROWS = REWARDS / "rows"
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
            "nan-inf",
            "floor",
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
# Each answer starts a process, or goes to a model.
SLOW = {"code_tests", "llm_judge"}


# The first one of the documents, and those whose waivers must stay needed.
QUICK = {"gsm8k", *WAIVERS}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK else (pytest.mark.slow,))
        for name in sorted(shipped_rewards().keys() - NEEDS_A_MODEL)
    ],
)
def test_a_shipped_reward_passes_its_audit(name):
    assert_passes(name)


@pytest.fixture
def judge():
    """Return the running stand-in for `converse` that the tests of the judge use."""
    spec = importlib.util.spec_from_file_location("judges", REWARDS / "conftest.py")
    judges = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(judges)
    stand_in = judges.Judge()
    stand_in.open()
    yield stand_in
    stand_in.close()


@pytest.mark.slow
def test_the_judge_passes_its_audit_with_a_stand_in_for_the_model(judge, monkeypatch):
    pytest.importorskip("boto3")
    environment = dict(judge.environment)
    for name in RESERVED & environment.keys():
        monkeypatch.setenv(name, environment.pop(name))
    assert_passes("llm_judge", environment=environment, pass_aws_credentials=True)
    assert judge.requests


def assert_passes(name, *, environment=None, pass_aws_credentials=False):
    """Audit one reward on the rows of its own tests."""
    limits = LambdaLimits(timeout_s=60, memory_mb=512)
    report = audit(
        RewardFile(
            shipped_rewards()[name],
            limits=limits,
            environment=environment or {},
            pass_aws_credentials=pass_aws_credentials,
        ),
        list(read_rows(ROWS / f"{name}.jsonl")),
        settings=AuditSettings(rows=2 if name in SLOW else None),
        replies=read_replies(ROWS / f"{name}.replies.jsonl"),
        waivers=WAIVERS.get(name, {}),
    )
    assert report.ok, [finding.what for finding in report.errors]
    assert report.unneeded_waivers == ()
    assert all(result.ok for result in report.profiles)
    warnings = [each for each in report.findings if each.severity == "warning" and not each.waived]
    assert warnings == []


def test_no_waiver_is_left_over():
    assert WAIVERS.keys() <= shipped_rewards().keys()
