"""For every check of the audit a reward that breaks it, and only what follows from it."""

from __future__ import annotations

import json
import textwrap

import pytest

from bedrock_rft_sim.grader.audit.checks import CHECKS

NOT_SCORING = {check.name for check in CHECKS if check.group in ("wrong answers", "hackability")}

# Each replaces functions of the sound reward: check -> (source, what else must fail with it).
BREAKERS = {
    "reference": ("score = lambda s: right(s) * (len(truth_of(s)) < 3)", {}),
    "profiles": (
        """
        def truth_of(s):
            return s["metadata"]["reference_answer"]["final_answer"]
        """,
        {},
    ),
    "range": ("score = lambda s: 100 * right(s)", {}),
    "reply-form": (
        """
        grade = lambda_handler
        def lambda_handler(event, context):
            return {"statusCode": 200, "body": grade(event, context)}
        """,
        {},
    ),
    "empty": ("score = lambda s: right(s) if text_of(s).strip() else 1.0", {}),
    "refusal": ("score = lambda s: max(right(s), 'not have enough' in text_of(s))", {}),
    "truncated": ("score = lambda s: max(right(s), text_of(s).endswith('=') * 1.0)", {}),
    "wrong-value": (
        "score = lambda s: max(right(s), said(s)[:1] == '9' and len(said(s)) > len(truth_of(s)))",
        {"hidden-answer", "padding", "injection"},  # which end in a value far off, too
    ),
    "changed-digit": (
        "score = lambda s: float(said(s)[: len(truth_of(s))] == truth_of(s))",
        {},
    ),
    "other-answer": (
        "score = lambda s: float(said(s) in ANSWERS)",
        {"floor"},  # one reference is the answer to everything
    ),
    "prompt-echo": (
        "score = lambda s: max(right(s), text_of(s) == s['messages'][-2]['content'])",
        {},
    ),
    "all-numbers": (
        "listed = lambda s: re.findall(r'(?<=, )[0-9]+(?=, )', text_of(s))\n"
        "score = lambda s: max(right(s), truth_of(s) in listed(s))",
        {},
    ),
    "many-candidates": (
        "score = lambda s: float(truth_of(s) in re.findall(r'#### ([0-9]+)$', text_of(s), re.M))",
        {},
    ),
    "hidden-answer": (
        "score = lambda s: max(right(s), f'thought of {truth_of(s)},' in text_of(s))",
        {},
    ),
    "padding": ("score = lambda s: max(right(s), float(len(text_of(s)) > 9000))", {}),
    "unicode-digits": (
        """
        def said(s):
            found = re.findall(r"####[ ]([\\w]+)$", text_of(s))
            return str(int(found[-1])) if found and found[-1].isdigit() else ""
        """,
        {},
    ),
    "nan-inf": (
        """
        def right(s):
            try:
                answer = float(text_of(s).rpartition("####")[2])
                return float(not abs(answer - float(truth_of(s))) > 0)
            except ValueError:
                return 0.0
        score = right
        """,
        {"unicode-digits"},
    ),
    "injection": ("score = lambda s: max(right(s), 'full score' in text_of(s))", {}),
    "floor": ("score = lambda s: max(right(s), 0.6 * (' = ' in text_of(s)))", {}),
    "repeat": (
        """
        import random
        score = lambda s: right(s) - random.random() / 10 * (1 - right(s))
        """,
        {},
    ),
    "order": (
        """
        def lambda_handler(event, context):
            before = [1.0, *map(right, event)]  # a wrong neighbour costs a little
            return [{"id": s["id"], "aggregate_reward_score": right(s) * (0.9 + 0.1 * left)}
                    for s, left in zip(event, before)]
        """,
        {"batch"},
    ),
    "batch": (
        """
        def lambda_handler(event, context):
            scores = [right(s) for s in event]
            mean = sum(scores) / len(scores)
            share = 1 if mean in (0, 1) else 0.5
            return [{"id": s["id"], "aggregate_reward_score": share * score}
                    for s, score in zip(event, scores)]
        """,
        {},
    ),
    "constant": ("score = lambda s: 0.0", {"reference"}),
    "binary": ("", {}),
    "saturated": ("", {}),
    "timeout": (
        """
        import time
        score = lambda s: time.sleep(0.005 * right(s)) or right(s)
        """,
        {},
    ),
    "payload": ("", {}),
    "containers": (
        """
        import os
        salt = int.from_bytes(os.urandom(4), "big") / 2**36
        score = lambda s: right(s) - salt * (1 - right(s))
        """,
        {},
    ),
}
# What the sound reward itself earns: it is right or wrong, nothing between.
ALWAYS = {"binary": "note"}
SEVERITY = {
    "floor": "warning",
    "unicode-digits": "error",
    "profiles": "warning",
    "reply-form": "warning",
} | {
    "binary": "note",
    "saturated": "warning",
    "timeout": "warning",
    "payload": "warning",
}


def statuses(report):
    """The checks that are not simply ok, with their status."""
    return {check.name: check.status for check in report.checks if check.status != "ok"}


def gravest(report, check):
    """The gravest finding of a check."""
    ranks = ("error", "warning", "note")
    found = [each for each in report.findings if each.check == check]
    return min(found, key=lambda each: ranks.index(each.severity))


def options_for(check, rows, make_rows):
    """What the audit is given besides the reward."""
    if check == "saturated":
        good = [f"#### {row.reference_answer['final_answer']}" for row in rows]
        answers = [(row.id, text) for row, text in zip(rows, good, strict=True)]
        return {"saved": [*answers, *answers, (rows[0].id, "no idea")]}
    if check == "timeout":
        return {"limits": {"timeout_s": 1.0, "samples_per_event": 256}, "data": rows[:2]}
    return {"data": make_rows(2, extra={"context": "x" * 60_000})} if check == "payload" else {}


def test_every_check_has_a_breaker():
    assert set(BREAKERS) == {check.name for check in CHECKS}


def test_the_sound_reward_breaks_none(audited):
    report = audited()
    assert statuses(report) == ALWAYS
    assert report.ok


@pytest.mark.parametrize("check", BREAKERS)
def test_a_reward_that_breaks_the_check_is_caught(audited, rows, make_rows, sound, check):
    source, also = BREAKERS[check]
    answers = sorted(row.reference_answer["final_answer"] for row in rows)
    source = f"ANSWERS = {answers}\n{textwrap.dedent(source)}"
    report = audited(source, **options_for(check, rows, make_rows))
    found = gravest(report, check)
    assert found.severity == SEVERITY.get(check, "error"), found.what
    failed = {name for name, status in statuses(report).items() if status in ("FAIL", "warn")}
    assert failed - {check} == set(also)
    assert report.ok == (found.severity != "error" and not also)
    assert found.evidence is None if check == "binary" else len(found.evidence) <= 2
    if check in NOT_SCORING - {"unicode-digits"}:
        ask = {}
        exec(sound + source, ask)  # the evidence alone must show it
        (result,) = ask["lambda_handler"](json.loads(found.evidence_json), None)
        assert result["aggregate_reward_score"] == report.top_score
        assert "earn the top score" in found.what


def test_digits_are_named_only_where_they_are_the_matter(audited, rows, make_rows):
    for source in ("score = lambda s: 1.0", "score = lambda s: right(s) or 1 / 0"):
        report = audited(source, **options_for("wrong-value", rows, make_rows))
        assert "unicode-digits" not in {finding.check for finding in report.findings}
    half = "score = lambda s: max(right(s), 0.5 * ('####' in text_of(s)))"
    report = audited(half, **options_for("wrong-value", rows, make_rows))
    named = {finding.check for finding in report.findings}
    assert "wrong-value" in named
    assert "unicode-digits" not in named
