from __future__ import annotations

import re
from pathlib import Path

import pytest

from bedrock_rft_sim.errors import (
    EventError,
    GraderError,
    HandlerError,
    ResponseError,
    RunFolderError,
)
from bedrock_rft_sim.grader import Grader
from bedrock_rft_sim.grader.reward import RewardFile
from bedrock_rft_sim.grader.samples import Sample

FAILS_TWICE = """
count = 0
def lambda_handler(event, context):
    global count
    count += 1
    print("call", count)
    if count <= 2:
        raise RuntimeError(f"attempt {count}")
    return [{"id": s["id"], "aggregate_reward_score": count} for s in event]
"""
COUNTS = """
calls = 0
def lambda_handler(event, context):
    global calls
    calls += 1
    return [{"id": s["id"], "aggregate_reward_score": calls} for s in event]
"""
PRINTS = """
def lambda_handler(event, context):
    print("graded", len(event))
    return [{"id": s["id"], "aggregate_reward_score": 1} for s in event]
"""


def test_a_handler_that_fails_is_tried_again_with_growing_pauses(deploy, samples):
    grader = deploy(FAILS_TWICE, limits={"retries": 3, "backoff_s": 0.5})
    pauses = []
    grader._sleep = pauses.append
    batch = grader.grade(samples(2))
    assert [grade.score for grade in batch.grades] == [3.0, 3.0]
    (invocation,) = batch.invocations
    assert (invocation.attempts, invocation.errors) == (3, ("RuntimeError", "RuntimeError"))
    assert pauses == [0.5, 1.0]


def test_when_the_retries_are_used_up_the_last_failure_is_the_error(deploy, samples):
    grader = deploy(FAILS_TWICE, limits={"retries": 1})
    with pytest.raises(HandlerError, match=r"failed \(2 attempts\): RuntimeError: attempt 2"):
        grader.grade(samples(1))


def test_a_bad_reply_is_not_asked_for_again(deploy, samples, tmp_path):
    source = FAILS_TWICE.replace("if count <= 2:", "if count <= 0:").replace('s["id"]', '"x"')
    log = tmp_path / "grader.log"
    with pytest.raises(ResponseError):
        deploy(source, limits={"retries": 3}, log=log).grade(samples(1))
    assert log.read_text().count("call ") == 1


def test_a_function_that_can_not_be_loaded_is_not_tried_again(deploy, samples):
    grader = deploy("x = 1", limits={"retries": 3})
    grader._sleep = lambda _: pytest.fail("nothing would change")
    with pytest.raises(HandlerError, match=r"the handler failed: Runtime.HandlerNotFound"):
        grader.grade(samples(1))


def test_the_first_invocation_of_a_container_tells_its_cold_start(deploy, samples):
    grader = deploy(COUNTS, limits={"samples_per_event": 2})
    cold, warm = grader.grade(samples(3)).invocations
    assert cold.init_s > 0
    assert warm.init_s is None
    assert (cold.samples, warm.samples) == (2, 1)
    assert cold.max_memory_mb is None or 1 < cold.max_memory_mb < 128


def test_events_are_spread_round_robin_and_grades_stay_in_order(deploy, samples):
    grader = deploy(COUNTS, limits={"containers": 3, "samples_per_event": 2})
    batch = grader.grade(samples(14))
    assert [grade.id for grade in batch.grades] == [f"s{i}" for i in range(14)]
    assert [grade.score for grade in batch.grades[::2]] == [1, 1, 1, 2, 2, 2, 3]
    following = grader.grade(samples(4))
    assert [grade.score for grade in following.grades[::2]] == [3, 3]


def test_the_grades_do_not_depend_on_how_samples_are_cut_into_events(deploy, write_reward, samples):
    reward = write_reward(
        """
        def lambda_handler(event, context):
            return [{"id": s["id"], "aggregate_reward_score": int(s["id"][1:]) / 7} for s in event]
        """
    )
    cuts = [deploy(reward, limits={"samples_per_event": size}) for size in (1, 4, 16)]
    first, *others = [grader.grade(samples(16)).grades for grader in cuts]
    assert all(other == first for other in others)


def test_an_error_in_one_of_several_containers_is_raised(deploy, samples):
    source = """
    def lambda_handler(event, context):
        if event[0]["id"] == "s1":
            raise ValueError("the second")
        return [{"id": s["id"], "aggregate_reward_score": 1} for s in event]
    """
    grader = deploy(source, limits={"containers": 3, "samples_per_event": 1})
    with pytest.raises(HandlerError, match="ValueError: the second"):
        grader.grade(samples(3))


def test_no_samples_are_no_events(deploy):
    batch = deploy(COUNTS).grade([])
    assert (batch.grades, batch.invocations) == ((), ())


def test_an_event_over_6_mb_is_refused_before_it_is_sent(deploy, samples):
    with pytest.raises(EventError, match="larger than Lambda accepts"):
        deploy(COUNTS).grade(samples(2, answer="x" * 4_000_000))


def test_the_profile_and_the_wrapping_reach_the_handler(deploy, samples):
    source = """
    def lambda_handler(event, context):
        assert [s["reference_answer"] for s in event] == [{"text": "#### 1"}]
        assert "metadata" not in event[0]
        return [{"id": s["id"], "aggregate_reward_score": 1} for s in event]
    """
    deploy(source, profile="root", wrap=True).grade(samples(1))


def test_the_log_has_lambda_s_lines_around_what_was_printed(deploy, samples, tmp_path):
    log = tmp_path / "grader.log"
    log.write_text("earlier\n")
    deploy(PRINTS, log=log, limits={"memory_mb": 256}).grade(samples(3))
    earlier, init, start, printed, end, report = log.read_text().splitlines()
    assert earlier == "earlier"
    assert init.startswith("INIT_START Runtime Version: python:3.")
    request_id = re.fullmatch(r"START RequestId: (\S{36}) Version: \$LATEST", start)[1]
    assert printed == "graded 3"
    assert end == f"END RequestId: {request_id}"
    shape = (
        rf"REPORT RequestId: {request_id}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\t"
        r"Memory Size: 256 MB(\tMax Memory Used: \d+ MB)?\tInit Duration: \d+\.\d\d ms"
    )
    assert re.fullmatch(shape, report)


def test_the_log_names_every_failed_attempt(deploy, samples, tmp_path):
    log = tmp_path / "grader.log"
    deploy(FAILS_TWICE, log=log, limits={"retries": 2}).grade(samples(1))
    text = log.read_text()
    assert text.count("REPORT RequestId") == 3
    assert text.count("\tError Type: RuntimeError") == 2


def test_a_log_that_can_not_be_written_is_an_error_of_the_run_folder(deploy, samples, tmp_path):
    grader = deploy(PRINTS, log=tmp_path / "missing" / "grader.log")
    with pytest.raises(RunFolderError, match="can't write the grader's log"):
        grader.grade(samples(1))


def test_credentials_come_in_only_on_request(deploy, samples, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_PROFILE", "work")
    source = """
    import os
    def lambda_handler(event, context):
        has = all(name in os.environ for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"))
        files = os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "").endswith(".aws/credentials")
        return [{"id": s["id"], "aggregate_reward_score": has + files} for s in event]
    """
    assert deploy(source).grade(samples(1)).grades[0].score == 0
    assert deploy(source, pass_aws_credentials=True).grade(samples(1)).grades[0].score == 2


def test_variables_that_lambda_reserves_can_not_be_set(deploy):
    with pytest.raises(HandlerError, match="variables that Lambda reserves") as caught:
        deploy(COUNTS, environment={"AWS_REGION": "eu-west-1", "MODE": "strict"})
    assert caught.value.found == "AWS_REGION"


def test_an_arn_that_is_none_is_named(deploy):
    with pytest.raises(HandlerError, match="ARN can't be read"):
        deploy(COUNTS, function_arn="gsm8k-reward")


def test_after_an_interrupt_the_next_grade_starts_afresh(deploy, samples):
    grader = deploy(COUNTS)
    grader.grade(samples(1))
    container = grader._containers[0]

    def interrupted(timeout_s):
        raise KeyboardInterrupt

    container._api.wait = interrupted
    with pytest.raises(KeyboardInterrupt):
        grader.grade(samples(1))
    assert container._process.returncode is not None
    assert grader.grade(samples(1)).grades[0].score == 1.0


def test_closing_twice_is_harmless_and_leaves_nothing_behind(write_reward, samples):
    grader = Grader(RewardFile(write_reward(COUNTS)))
    with grader:
        grader.grade(samples(1))
        scratch = grader._scratch.name
    grader.close()
    assert not Path(scratch).exists()


def test_every_failure_is_a_grader_error(deploy):
    with pytest.raises(GraderError):
        deploy("def lambda_handler(e, c): return []").grade([Sample("a", [])])
