"""Graders that AWS's own verifier passes are caught and named; good ones it refuses pass.

AWS's verifier (nova-forge and sagemaker-train `verify_reward_function`, run on two prompt-only
rows) checks an id and something coercible to a number: the first seven were seen to pass it.
The last two follow from how it checks: it takes a bool for a number, and it never shows an answer.
"""

from __future__ import annotations

import pytest

from bedrock_rft_sim.errors import HandlerError

DEFECTIVE = {
    "swapped order": (
        """
        def lambda_handler(event, context):
            scores = [score(s) for s in event]
            return [{"id": s["id"], "aggregate_reward_score": value}
                    for s, value in zip(event, reversed(scores))]
        """,
        "batch",
        "results carry each other's id",
    ),
    "ids that match no input": (
        """
        def lambda_handler(event, context):
            return [{"id": f"unknown-{i}", "aggregate_reward_score": score(s)}
                    for i, s in enumerate(event)]
        """,
        "reference",
        "carries an id that was not sent",
    ),
    "NaN": (
        "score = lambda s: float('nan')",
        "reference",
        "aggregate_reward_score is not a finite number",
    ),
    'the string "0.5"': (
        """
        def lambda_handler(event, context):
            return [{"id": s["id"], "aggregate_reward_score": "0.5"} for s in event]
        """,
        "reference",
        "found: '0.5' (str)",
    ),
    "a constant 0": ("score = lambda s: 0.0", "reference", "silent zero"),
    "1e9": ("score = lambda s: 1e9 * right(s)", "range", "1e+09"),
    "three results for two samples": (
        """
        def lambda_handler(event, context):
            results = [{"id": s["id"], "aggregate_reward_score": score(s)} for s in event]
            return [*results, results[0]]
        """,
        "reference",
        "two results carry the same id",
    ),
    "a bool": (
        """
        def lambda_handler(event, context):
            return [{"id": s["id"], "aggregate_reward_score": bool(score(s))} for s in event]
        """,
        "reference",
        "found: true (bool)",
    ),
    "an answer never looked at": (
        "score = lambda s: 1.0 if s['messages'][0]['content'] else 0.0",
        "constant",
        "score 1",
    ),
}


@pytest.mark.parametrize("defect", DEFECTIVE)
def test_a_defective_grader_is_caught_and_named(audited, defect):
    source, check, words = DEFECTIVE[defect]
    report = audited(source)
    found = [each for each in report.errors if each.check == check]
    assert found, [each.what for each in report.errors]
    assert words in found[0].what
    assert 1 <= len(found[0].evidence) <= 2
    assert not report.ok


def test_a_handler_that_asks_for_the_time_left_passes(audited):
    report = audited(
        """
        grade = lambda_handler
        def lambda_handler(event, context):
            assert 0 < context.get_remaining_time_in_millis() <= 30_000
            return grade(event, context)
        """
    )
    assert report.ok


def test_a_folder_whose_handler_imports_a_sibling_passes(audited, write_reward, sound):
    write_reward(sound, name="folder/sibling.py")
    source = "from sibling import lambda_handler"
    folder = write_reward(source, name="folder/lambda_function.py").parent
    assert audited(path=folder).ok


def test_a_single_file_that_imports_a_sibling_is_refused(audited, write_reward, sound):
    write_reward(sound, name="sibling.py")
    with pytest.raises(HandlerError, match=r"sibling\.py lies beside reward\.py"):
        audited("from sibling import lambda_handler")
