from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.errors import HandlerError
from bedrock_rft_sim.grader.good_replies import check_reward, good_reply
from bedrock_rft_sim.grader.reward import RewardFile
from bedrock_rft_sim.grader.samples import LambdaLimits

SOLUTION = "24 + 48 = 72\n#### 72"
GSM8K = Path(find_spec("rewards.gsm8k").origin)
READS_TEXT_AT_ROOT = """
def lambda_handler(event, context):
    results = []
    for s in event:
        reference = s.get("reference_answer")
        truth = reference.get("text", "") if isinstance(reference, dict) else ""
        right = truth and s["messages"][-1]["content"].endswith(truth[-2:])
        results.append({"id": s["id"], "aggregate_reward_score": 1.0 if right else 0.0})
    return results
"""


@dataclass
class Record:
    id: str
    reference_answer: Any
    messages: list = field(default_factory=lambda: [{"role": "user", "content": "How many?"}])
    extra: dict = field(default_factory=dict)


def check(reward, rows, *, wrap=False, timeout_s=30.0, **options):
    limits = LambdaLimits(timeout_s=timeout_s, retries=0, samples_per_event=16)
    results = check_reward(
        RewardFile(reward, limits=limits, wrap=wrap),
        rows,
        **options,
    )
    return {result.profile: result for result in results}


def rows(count, reference=SOLUTION):
    return [Record(f"r{i}", reference) for i in range(count)]


@pytest.mark.parametrize(
    ("reference", "reply"),
    [
        (SOLUTION, SOLUTION),
        ("72", "#### 72"),
        ("$1,200.50", "#### $1,200.50"),
        ("It depends.", "It depends."),
        ({"final_answer": "72", "steps": ["24", "48"]}, "24\n48\n#### 72"),
        ({"final_answer": 72}, "#### 72"),
        ({"text": SOLUTION}, SOLUTION),
        ({"text": "72"}, "#### 72"),
        ({"answer": "72"}, "ANSWER: 72\n#### 72"),
        ({"label": "72"}, None),
        ({}, None),
        ("", None),
        (None, None),
    ],
)
def test_a_reference_is_phrased_as_a_good_reply(reference, reply):
    assert good_reply(reference) == reply


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize(
    "reference", [SOLUTION, "72", {"final_answer": "72", "steps": ["24 + 48"]}, {"answer": "72"}]
)
def test_the_shipped_reward_passes_under_every_profile(reference, wrap):
    results = check(GSM8K, rows(3, reference), wrap=wrap)
    assert list(results) == ["metadata", "root", "both"]
    assert all(result.ok and result.exact for result in results.values())


def test_a_grader_that_reads_another_place_is_a_silent_zero_under_one_profile(write_reward):
    results = check(write_reward(READS_TEXT_AT_ROOT), rows(20), wrap=True)
    assert [result.ok for result in results.values()] == [False, True, True]
    (failure,) = results["metadata"].failures
    assert (failure.kind, failure.count, failure.first_id) == ("silent zero", 20, "r0")
    assert failure.detail == "score 0, expected 1"


def test_a_grader_that_expects_wrapped_text_never_scores_a_plain_string(write_reward):
    results = check(write_reward(READS_TEXT_AT_ROOT), rows(3))
    assert [result.passed for result in results.values()] == [0, 0, 0]


def test_a_grader_that_calls_get_on_a_string_raises(write_reward):
    reward = write_reward(
        """
        def lambda_handler(event, context):
            return [{"id": s["id"], "aggregate_reward_score": s["reference_answer"].get("text")}
                    for s in event]
        """
    )
    results = check(reward, rows(3))
    (at_root,) = results["root"].failures
    assert (at_root.kind, at_root.count) == ("raises", 3)
    assert "AttributeError: 'str' object has no attribute 'get'" in at_root.detail
    assert "KeyError: 'reference_answer'" in results["metadata"].failures[0].detail


def test_one_bad_record_is_found_among_the_good_ones():
    records = [*rows(20), Record("odd", {"final_answer": "about a dozen"}), *rows_from(20, 30)]
    (failure,) = check(GSM8K, records, profiles=["both"])["both"].failures
    assert (failure.kind, failure.count, failure.first_id) == ("raises", 1, "odd")


def rows_from(start, stop):
    return [Record(f"r{i}", SOLUTION) for i in range(start, stop)]


def test_kinds_are_told_apart(write_reward):
    reward = write_reward(
        """
        def lambda_handler(event, context):
            scores = {"r0": 1.0, "r1": 0.5, "r2": 0.0, "r3": float("nan"), "r4": 1.0}
            return [{"id": s["id"], "aggregate_reward_score": scores[s["id"]]} for s in event]
        """
    )
    result = check(reward, rows(6), profiles=["both"])["both"]
    found = {failure.kind: failure.first_id for failure in result.failures}
    assert found == {
        "below the top score": "r1",
        "silent zero": "r2",
        "bad response": "r3",
        "raises": "r5",
    }
    assert (result.graded, result.passed) == (6, 2)


def test_another_top_score_can_be_asked_for():
    assert not check(GSM8K, rows(1), profiles=["both"], top_score=5.0)["both"].ok


def test_without_a_stated_top_score_the_highest_one_earned_counts(write_reward):
    reward = write_reward(
        """
        def lambda_handler(event, context):
            scores = {"r0": 5.0, "r1": 4.0}
            return [{"id": s["id"], "aggregate_reward_score": scores[s["id"]]} for s in event]
        """
    )
    result = check(reward, rows(2), profiles=["both"], top_score=None)["both"]
    assert result.passed == 1
    assert result.failures[0].detail == "score 4, expected 5"


def test_given_replies_take_the_place_of_the_references_own_phrasing():
    replies = {"r0": "It is #### 72", "r1": "It is 72"}
    result = check(GSM8K, rows(3), profiles=["both"], replies=replies)["both"]
    assert (result.graded, result.passed, result.skipped) == (2, 1, 1)


def test_results_with_other_ids_are_a_kind_of_their_own(write_reward):
    reward = write_reward(
        """
        def lambda_handler(event, context):
            return [{"id": "unknown", "aggregate_reward_score": 1.0} for s in event]
        """
    )
    (failure,) = check(reward, rows(3), profiles=["both"])["both"].failures
    assert (failure.kind, failure.count) == ("wrong id", 3)


def test_records_without_a_known_reference_are_counted_and_do_not_pass():
    result = check(GSM8K, [Record("a", None), Record("b", {"label": "x"})], profiles=["both"])
    assert (result["both"].graded, result["both"].skipped, result["both"].ok) == (0, 2, False)


def test_a_hanging_grader_is_not_asked_sample_by_sample(write_reward):
    reward = write_reward("def lambda_handler(event, context):\n    while True: pass\n")
    result = check(reward, rows(16), timeout_s=0.3, profiles=["both"])["both"]
    assert (result.failures[0].kind, result.failures[0].count) == ("times out", 16)
    assert not result.exact


def test_a_grader_that_can_not_be_loaded_is_an_error_and_no_table(write_reward):
    with pytest.raises(HandlerError, match=r"Runtime.HandlerNotFound"):
        check(write_reward("x = 1"), rows(2))


def test_a_reward_that_pays_nobody_is_expected_to_pay_more_than_0(write_reward):
    reward = write_reward(
        """
        def lambda_handler(event, context):
            return [{"id": s["id"], "aggregate_reward_score": 0.0} for s in event]
        """
    )
    (failure,) = check(reward, rows(4), top_score=None)["both"].failures
    assert failure.detail == "score 0, expected more than 0, which no good reply earned"
