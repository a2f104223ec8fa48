"""The audit as a whole: what it says of slow, broken, odd and leaky rewards."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bedrock_rft_sim.errors import DataError, HandlerError, RecipeError
from bedrock_rft_sim.grader.audit import AuditSettings, AuditWorkload
from bedrock_rft_sim.grader.audit.floor import STRATEGIES_FEW, floor_within
from bedrock_rft_sim.grader.reward import RewardFile


def status_of(report, name):
    return next(check for check in report.checks if check.name == name)


def test_the_plan_counts_every_answer_and_invocation_before_they_are_asked(audited, make_rows):
    stages = []
    data = make_rows(40, shape="open-weight")
    report = audited(data=data, progress=stages.append)
    assert stages[0] == str(report.plan)
    assert (report.plan.variants, report.plan.rows, report.plan.subjects) == (6, 40, 32)
    assert (report.answers, report.invocations) == (report.plan.answers, report.plan.invocations)


def test_fewer_rows_are_fewer_invocations(audited, make_rows):
    data = make_rows(40)
    few = audited(data=data, settings=AuditSettings(rows=4), limits={"samples_per_event": 4})
    assert (few.plan.rows, few.plan.subjects, few.plan.rows_phrased) == (4, 4, 40)
    assert few.invocations == few.plan.invocations
    assert status_of(few, "reference").asked == 4
    assert few.ok


CHAINS = "score = lambda s: max(right(s), 0.6 * (text_of(s).count(' = ') > 2))"


def test_what_a_script_earns_without_the_reference_is_the_floor(audited, make_rows):
    report = audited(CHAINS, data=make_rows(40))
    floor = report.floor
    assert (floor.rows, floor.strategies > 200) == (32, True)
    assert 0.6 <= floor.score < 0.8
    (finding,) = (each for each in report.findings if each.check == "floor")
    assert finding.severity == "warning"
    assert f"{floor.strategy} earns {floor.score:.2f} on average over 32 rows" in finding.what
    (sample,) = finding.evidence
    assert sample["messages"][-1]["content"].count(" = ") > 2
    assert report.ok
    assert status_of(report, "floor").asked == report.plan.blind > 32 * 50
    assert audited(CHAINS, data=make_rows(40)).floor == floor


def test_the_floor_of_a_sound_reward_is_low_and_no_finding(audited, make_rows):
    report = audited(data=make_rows(40))
    assert 0 < report.floor.score < 0.5
    assert status_of(report, "floor").status == "ok"
    assert report.as_json()["floor"] == {
        "score": report.floor.score,
        "strategy": report.floor.strategy,
        "strategies": report.floor.strategies,
        "rows": 32,
    }


def test_the_most_frequent_reference_of_the_file_is_tried_on_everything(audited, make_rows):
    same = {"reference_answer": {"final_answer": "7", "steps": []}}
    data = [*make_rows(30, extra=same), *make_rows(6, extra={"id": "odd"})[:1]]
    report = audited(data=data)
    assert report.floor.score >= 30 / 31
    assert report.floor.strategy.endswith("#### 7'")


def test_few_strategies_are_tried_where_rows_are_limited(audited, make_rows):
    report = audited(data=make_rows(40), settings=AuditSettings(rows=4))
    assert report.plan.blind <= 16 * 4
    assert (report.floor.rows, report.floor.strategies) == (4, 16)
    assert status_of(report, "floor").reason == "fewer than 8 rows say little"
    assert f"{report.plan.blind:,} answers for the floor" in str(report.plan)


def test_an_answer_of_a_script_that_breaks_the_reward_is_an_error(audited):
    report = audited("score = lambda s: right(s) / (not text_of(s).startswith('SELECT'))")
    (finding,) = report.errors
    assert finding.check == "floor"
    assert "break the reward (raises)" in finding.what
    assert report.floor is not None


def test_the_same_seed_gives_the_same_report_times_apart(audited, make_rows):
    source = "score = lambda s: max(right(s), 'thought of' in text_of(s))"
    data, settings = make_rows(40), AuditSettings(seed=5, samples=8)
    one, two = (audited(source, data=data, settings=settings) for _ in range(2))
    assert one.findings == two.findings
    assert one.checks == two.checks
    assert audited(source, data=data, settings=AuditSettings(seed=6, samples=8)).findings != (
        one.findings
    )


def test_a_waived_check_stands_in_the_report_and_no_longer_fails_it(audited):
    source = "score = lambda s: max(right(s), text_of(s).strip() == '')"
    report = audited(source, waivers={"empty": "graded elsewhere", "padding": "just in case"})
    assert report.ok
    row = status_of(report, "empty")
    assert (row.status, row.reason) == ("waived", "graded elsewhere")
    (finding,) = (each for each in report.findings if each.check == "empty")
    assert (finding.severity, finding.waived) == ("error", "graded elsewhere")
    assert report.unneeded_waivers == ("padding",)


@pytest.mark.parametrize(
    ("waivers", "words"),
    [({"hiden-answer": "x"}, "hidden-answer"), ({"empty": " "}, "a check is waived for a reason")],
)
def test_a_waiver_that_names_no_check_or_no_reason_is_an_error(audited, waivers, words):
    with pytest.raises(RecipeError, match=words):
        audited(waivers=waivers)


def test_rows_without_a_known_good_reply_are_said(audited, rows, make_rows):
    odd = make_rows(2, extra={"id": "odd", "reference_answer": {"label": "x"}})[:1]
    report = audited(data=[*rows, *odd])
    (finding,) = (each for each in report.findings if each.check == "reference")
    assert finding.severity == "warning"
    assert "1 row without a known good reply" in finding.what
    assert "odd" in finding.what
    assert report.ok


def test_without_any_good_reply_nothing_is_judged_and_that_is_an_error(audited, make_rows):
    report = audited(data=make_rows(2, extra={"reference_answer": {"label": "x"}}))
    assert [each.check for each in report.errors] == ["reference"]
    assert status_of(report, "padding").status == "can't tell"


def test_a_check_with_nothing_to_judge_says_why_and_is_not_ok(audited):
    zero = audited("score = lambda s: 0.0")
    paid = audited("score = lambda s: 1.0")
    fine = {
        name: [check.name for check in report.checks if check.status == "ok"]
        for name, report in (("zero", zero), ("paid", paid))
    }
    measured = ["range", "reply-form", "timeout", "payload"]
    assert fine == {"zero": measured, "paid": ["reference", "profiles", *measured]}
    reasons = {name: status_of(zero, name).reason for name in ("binary", "saturated", "order")}
    assert "score the same, so they do not spread" in reasons["binary"]
    assert "score the same, so they do not spread" in reasons["saturated"]
    assert "no difference could show" in reasons["order"]
    assert status_of(paid, "unicode-digits").reason == "a plain wrong answer does as much"


def test_few_saved_answers_tell_nothing_of_the_spread(audited, rows):
    report = audited(saved=[(row.id, "no idea") for row in rows[:3]])
    found = {name: status_of(report, name) for name in ("constant", "binary", "saturated")}
    assert {check.status for check in found.values()} == {"can't tell"}
    assert found["constant"].reason == "3 scores of saved answers, and 8 are needed"


def test_variants_that_all_pass_are_ok_although_the_one_in_use_fails(audited):
    source = """
        def lambda_handler(event, context):
            half = 0.5 if "metadata" in event[0] and "reference_answer" in event[0] else 1.0
            return [{"id": s["id"], "aggregate_reward_score": half * right(s)} for s in event]
        """
    report = audited(source)
    assert [check for check in report.errors if check.check == "reference"]
    assert status_of(report, "profiles").status == "ok"


def test_given_replies_are_graded_in_place_of_the_references_phrasing(audited, rows):
    source = """
        def said(s):
            return text_of(s).removeprefix("It is ")
        """
    assert not audited(source).ok
    replies = {row.id: f"It is {row.reference_answer['final_answer']}" for row in rows}
    report = audited(source, replies=replies)
    assert report.ok, [each.what for each in report.errors]
    del replies[rows[0].id]
    assert "not graded" in audited(source, replies=replies).findings[0].what
    with pytest.raises(DataError, match="no reply belongs to any row"):
        audited(source, replies={"nobody": "It is 1"})
    with pytest.raises(DataError, match="no saved answer belongs to any row"):
        audited(saved=[("nobody", "It is 1")])


def test_a_grader_that_hangs_on_good_replies_is_asked_little(audited):
    source = "def score(s):\n    while True: pass\n"
    report = audited(source, limits={"timeout_s": 0.2})
    (finding, *_) = report.errors
    assert (finding.check, "times out" in finding.what) == ("reference", True)
    assert len(report.profiles) == 1
    assert report.invocations == 1
    assert status_of(report, "empty").status == "can't tell"


def test_a_grader_that_hangs_on_long_answers_is_named_with_the_answer(audited):
    source = """
        def score(s):
            while len(text_of(s)) > 9000: pass
            return right(s)
        """
    report = audited(source, limits={"timeout_s": 0.3})
    (finding,) = report.errors
    assert finding.check == "padding"
    assert "break the reward (times out)" in finding.what


def test_a_grader_that_pays_a_wrong_answer_for_its_length_is_named(audited, rows):
    source = "score = lambda s: max(right(s), len(text_of(s)) / 20_000)"
    data = [replace(row, id=f"{row.id}#odd") for row in rows]
    found = [each.what for each in audited(source, data=data).findings if each.check == "padding"]
    assert any("earn more with 10,000 characters of padding" in what for what in found)


def test_a_grader_that_exits_on_an_empty_answer_is_named(audited):
    source = """
        import sys
        def score(s):
            return right(s) if text_of(s) else sys.exit(3)
        """
    (finding,) = audited(source).errors
    assert finding.check == "empty"
    assert "Runtime.ExitError" in finding.what
    assert finding.evidence[0]["messages"][-1] == {"role": "assistant", "content": ""}


def test_a_handler_that_can_not_be_loaded_is_an_error_of_its_own(audited):
    with pytest.raises(HandlerError, match=r"Runtime\.ImportModuleError"):
        audited("import no_such_module")


def test_a_text_reference_read_from_a_plain_string_is_caught_in_the_table(audited, make_rows):
    source = """
        def truth_of(s):
            return s["reference_answer"]["text"].rpartition("####")[2].strip()
        """
    data = make_rows(8, shape="open-weight")
    plain = audited(source, data=data)
    assert "TypeError: string indices must be integers" in plain.errors[0].what
    passed = {(each.profile, each.wrapped): each.passed for each in plain.profiles}
    assert passed == {
        ("both", False): 0,
        ("metadata", False): 0,
        ("root", False): 0,
        ("metadata", True): 0,
        ("root", True): 8,
        ("both", True): 8,
    }
    wrapped = audited(source, data=data, reward={"wrap": True})
    found = [each for each in wrapped.findings if each.check == "profiles"]
    assert [each.severity for each in found] == ["warning"] * 3
    assert "under metadata, strings wrapped: raises" in found[0].what
    assert "under root: raises" in found[1].what


def test_a_grader_that_wants_wrapped_strings_is_told_the_option_and_passes_with_it(
    audited, make_rows
):
    # As AWS's sample for gpt-oss reads it: at the root, and '' where there is none.
    source = """
        def truth_of(s):
            found = s.get("reference_answer", {})
            text = found.get("text", "") if isinstance(found, dict) else ""
            return text.rpartition("####")[2].strip() or "unknown"
        """
    data = make_rows(8, shape="open-weight")
    plain = audited(source, data=data)
    error = plain.errors[0]
    assert "8 of 8 good replies under both: silent zero" in error.what
    assert "--wrap (in a recipe local.wrapStringAsText: true) wraps them" in error.remedy
    assert audited(source, data=data, reward={"wrap": True}).ok


def test_the_cost_of_a_run_is_projected_by_multiplication(audited, rows):
    workload = AuditWorkload(
        rollouts_per_step=96, steps=10, validation_answers=100, inference_max_tokens=1000
    )
    report = audited(workload=workload, limits={"memory_mb": 512, "samples_per_event": 4})
    cost = report.cost
    assert (cost.answers, cost.invocations, cost.concurrency) == (1060, 24 * 10 + 25, 24)
    assert cost.events == 2
    assert cost.gb_s == pytest.approx(cost.lambda_s / 2)
    assert cost.largest_event_bytes > 4 * 4000
    assert cost.cold_start_s > 0
    assert audited().cost.lambda_s is None


def test_saved_answers_are_what_the_spread_is_judged_by(audited, rows):
    saved = [(row.id, "no idea") for row in rows] * 2
    report = audited(saved=saved)
    (spread,) = report.spreads
    assert (spread.source, spread.count, spread.highest) == ("saved answers", 16, 0.0)
    assert [each.check for each in report.errors] == ["constant"]


SECRET = "wJalrXUtnFEMIexampleSECRETvalue"


def test_credentials_that_a_handler_shouts_do_not_reach_the_report(
    audited, monkeypatch, tmp_path, capfd
):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    (tmp_path / "credentials").write_text("[default]\naws_session_token = fromTheFile12345\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    source = f"""
        import os
        def score(s):
            raise ValueError("{SECRET} fromTheFile12345 AKIAIOSFODNN7EXAMPLE " + os.environ["KEY"])
        """
    report = audited(source, reward={"environment": {"KEY": "the-function-s-own-key"}})
    written = json.dumps(report.as_json())
    assert "[redacted] [redacted] [redacted] [redacted]" in written
    for secret in (SECRET, "fromTheFile12345", "AKIAIOSFODNN7EXAMPLE", "the-function-s-own-key"):
        assert secret not in written
    assert SECRET not in "".join(capfd.readouterr())


def test_the_report_is_json_with_the_events(audited):
    report = audited("score = lambda s: 1.0")
    read = json.loads(json.dumps(report.as_json()))
    assert read["ok"] is False
    events = [each["evidence"] for each in read["findings"] if each["evidence"]]
    assert all("messages" in event[0] for event in events)
    pasted = json.loads(report.errors[0].evidence_json)
    assert pasted == report.errors[0].evidence


def test_within_its_time_the_floor_is_the_audit_s_and_a_slow_reward_has_few_or_none(
    audited, make_rows, write_reward, sound
):
    rows = make_rows(40)
    quick = RewardFile(write_reward(sound))
    expected = audited(data=rows).floor
    assert floor_within(quick, rows, seed=0, seconds=60) == expected
    source = """
        import time
        def lambda_handler(event, context):
            time.sleep(0.02)
            return [{"id": sample["id"], "aggregate_reward_score": 0.0} for sample in event]
        """
    slow = RewardFile(write_reward(source))
    assert floor_within(slow, rows, seed=0, seconds=0.5) is None
    few = floor_within(slow, rows, seed=0, seconds=3)
    assert (few.score, few.strategies, few.rows) == (0.0, STRATEGIES_FEW, 32)


def test_a_reward_that_reads_only_boxes_is_audited_with_boxes_and_that_is_noted(audited, rows):
    source = r"""
        def said(s):
            found = re.findall(r"\\boxed\{(\d+)\}", text_of(s))
            return found[-1] if len(found) == 1 else ""
        """
    report = audited(source)
    assert report.ok, [each.what for each in report.errors]
    assert report.top_score == 1.0
    (finding,) = (each for each in report.findings if each.check == "reference")
    assert (finding.severity, "boxed" in finding.what) == ("note", True)
    assert status_of(report, "many-candidates").status == "ok"
    nothing = audited("score = lambda s: 0.0")
    assert [each.severity for each in nothing.findings if each.check == "reference"] == ["error"]
    replies = {row.id: row.reference_answer["final_answer"] for row in rows}
    assert "boxed" not in audited(source, replies=replies).findings[0].what


@pytest.mark.parametrize(
    ("fails", "check"),
    [
        ("raise RuntimeError('AccessDeniedException: no access to the judge')", "reference"),
        ("print('AccessDeniedException: no access to the judge'); return 0.5", "constant"),
    ],
)
def test_a_judge_that_fails_is_told_in_the_handler_s_own_words(audited, fails, check):
    report = audited(f"def score(s):\n    {fails}\n")
    found = [each.what for each in report.findings if each.check == check]
    assert "AccessDeniedException: no access to the judge" in found[0]
    assert not report.ok
