"""The handler's world and its deaths; every test runs under AWS's client and under ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from bedrock_rft_sim.errors import HandlerError, ResponseError
from bedrock_rft_sim.grader.environment import confinement
from bedrock_rft_sim.grader.grader import FaultError

ONE = 'return [{"id": s["id"], "aggregate_reward_score": 1.0} for s in event]'
HANDLER = f"def lambda_handler(event, context):\n    {ONE}\n"


def scores(batch):
    return [grade.score for grade in batch.grades]


def ask(deploy, samples, client, expression, *, before="", **options):
    """The value of an expression evaluated inside the handler."""
    source = f"""
{before}
def lambda_handler(event, context):
    import json, os, sys
    print("ANSWER=" + json.dumps({expression}))
    {ONE}
"""
    grader = deploy(source, client=client, **options)
    outcome = {}
    grader._log.write = lambda found: outcome.update(printed=found.printed)
    grader.grade(samples(1))
    line = outcome["printed"].decode().partition("ANSWER=")[2].splitlines()[0]
    return json.loads(line)


def fail(grader, samples, count=1):
    with pytest.raises(HandlerError) as caught:
        grader.grade(samples(count))
    return caught.value


def test_a_handler_grades(deploy, samples, client):
    assert scores(deploy(HANDLER, client=client).grade(samples(3))) == [1.0] * 3


def test_results_in_another_order_are_matched_by_id(deploy, samples, client):
    source = """
    def lambda_handler(event, context):
        return [{"id": s["id"], "aggregate_reward_score": int(s["id"][1:])}
                for s in reversed(event)]
    """
    assert scores(deploy(source, client=client).grade(samples(4))) == [0.0, 1.0, 2.0, 3.0]


def test_the_child_sees_only_what_lambda_sets(deploy, samples, client, monkeypatch):
    monkeypatch.setenv("MY_SECRET", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    seen = ask(deploy, samples, client, "dict(os.environ)", environment={"GSM8K_METHOD": "strict"})
    seen.pop("LC_CTYPE", None)  # the interpreter's own, where the locale is not installed
    if confinement() == "hooks":
        seen.pop("TMPDIR")
    assert sorted(seen) == [
        "AWS_DEFAULT_REGION",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "GSM8K_METHOD",
        "HOME",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "LANG",
        "PATH",
        "TZ",
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
    ]
    assert seen["HOME"] != os.environ.get("HOME")
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "reward"
    assert seen["_HANDLER"] == "reward.lambda_handler"


def test_packages_of_this_environment_are_hidden_and_boto3_is_not(deploy, samples, client):
    expression = (
        "[bool(__import__('importlib.util').util.find_spec(name)) for name in "
        "('pydantic', 'numpy', 'pytest', 'bedrock_rft_sim', 'rewards',"
        " 'boto3', 'botocore', 'json')]"
    )
    found = ask(deploy, samples, client, expression)
    assert found == [False] * 5 + [True] * 3


def test_boto3_makes_a_client_within_512_mb(deploy, samples, client):
    pytest.importorskip("boto3")
    before = 'import boto3\nregion = boto3.client("bedrock-runtime").meta.region_name'
    limits = {"memory_mb": 512, "timeout_s": 20}
    seen = ask(deploy, samples, client, "region", before=before, limits=limits)
    assert seen == "us-east-1"


def test_the_context_is_lambda_s(deploy, samples, client):
    expression = """[context.function_name, context.function_version, context.memory_limit_in_mb,
        context.invoked_function_arn, len(context.aws_request_id),
        0 < context.get_remaining_time_in_millis() <= 30_000, context.log_group_name,
        context.client_context, context.identity is None or context.identity.cognito_identity_id]"""
    arn = "arn:aws:lambda:us-west-2:123456789012:function:grade:7"
    seen = ask(deploy, samples, client, expression, function_arn=arn)
    assert seen[:7] == ["grade", "7", "128", arn, 36, True, "/aws/lambda/grade"]
    assert seen[7] is None


SIBLING = """
import sibling
def lambda_handler(event, context):
    return [{"id": s["id"], "aggregate_reward_score": sibling.grade(s)} for s in event]
"""


def test_a_sibling_module_can_be_imported_where_the_folder_is_given(
    deploy, write_reward, samples, client
):
    write_reward("def grade(sample):\n    return 0.25\n", name="folder/sibling.py")
    reward = write_reward(SIBLING, name="folder/lambda_function.py")
    grader = deploy(reward.parent, client=client)
    assert scores(grader.grade(samples(2))) == [0.25, 0.25]


def test_a_file_is_alone_and_its_neighbour_is_named_with_the_folder_to_give(
    deploy, write_reward, samples, client
):
    write_reward("def grade(sample):\n    return 0.25\n", name="sibling.py")
    error = fail(deploy(SIBLING, client=client), samples)
    assert "No module named 'sibling'" in error.what
    assert "sibling.py lies beside reward.py" in error.hint
    assert "with the handler reward.lambda_handler" in error.hint


def test_a_data_file_left_behind_is_named_too(deploy, write_reward, samples):
    write_reward("{}", name="units.json")
    source = """
    from pathlib import Path
    def lambda_handler(event, context):
        return Path(__file__).with_name("units.json").read_text()
    """
    error = fail(deploy(source), samples)
    assert error.error_type == "FileNotFoundError"
    assert "units.json lies beside reward.py" in error.hint


def test_grading_leaves_no_files_beside_the_reward(deploy, samples, client, tmp_path):
    deploy(HANDLER, client=client).grade(samples(1))
    assert [path.name for path in tmp_path.iterdir()] == ["reward.py"]


@pytest.mark.parametrize(
    ("source", "error_type", "message"),
    [
        ("x = 1", "Runtime.HandlerNotFound", "Handler 'lambda_handler' missing on module 'reward'"),
        (
            "import torch",
            "Runtime.ImportModuleError",
            "Unable to import module 'reward': No mod",
        ),
        ("def broken(:", "Runtime.UserCodeSyntaxError", "Syntax error in module 'reward': "),
        ("1 / 0", "ZeroDivisionError", "division by zero"),
        ("import sys; sys.exit(3)", "Runtime.ExitError", "exited with error: exit status 3"),
    ],
)
def test_a_function_that_can_not_be_loaded_says_why_in_lambda_s_words(
    deploy, samples, client, source, error_type, message
):
    error = fail(deploy(source, client=client), samples)
    assert isinstance(error, FaultError)
    assert error.error_type == error_type
    assert message in error.what


def test_a_handler_that_raises_shows_its_own_line(deploy, samples, client):
    source = """
    def lambda_handler(event, context):
        return event[0]["metadata"]["answer"]
    """
    error = fail(deploy(source, client=client), samples)
    assert error.what == "the handler failed: KeyError: 'answer'"
    assert error.where == "reward.py, event of 1 samples, first id 's0'"
    assert 'return event[0]["metadata"]["answer"]' in error.found
    assert "lambda_stand_in" not in error.found


def test_a_container_survives_its_handler_s_exceptions(deploy, samples, client):
    source = """
    calls = 0
    def lambda_handler(event, context):
        global calls
        calls += 1
        if calls == 1:
            raise ValueError("first")
        return [{"id": s["id"], "aggregate_reward_score": calls} for s in event]
    """
    grader = deploy(source, client=client, limits={"retries": 1})
    batch = grader.grade(samples(1))
    assert scores(batch) == [2.0]
    assert (batch.invocations[0].attempts, batch.invocations[0].errors) == (2, ("ValueError",))


def test_a_result_that_json_can_not_hold_is_a_marshal_error(deploy, samples, client):
    error = fail(deploy("def lambda_handler(e, c): return {1, 2}", client=client), samples)
    assert error.error_type == "Runtime.MarshalError"
    assert "Object of type set is not JSON serializable" in error.what


def test_decimals_are_numbers(deploy, samples, client):
    source = """
    from decimal import Decimal
    def lambda_handler(event, context):
        return [{"id": s["id"], "aggregate_reward_score": Decimal("0.5")} for s in event]
    """
    assert scores(deploy(source, client=client).grade(samples(1))) == [0.5]


@pytest.mark.parametrize(
    ("result", "what"),
    [
        ('[{"id": s["id"], "aggregate_reward_score": float("nan")} for s in event]', "finite"),
        ('[{"id": s["id"], "aggregate_reward_score": "0.5"} for s in event]', "finite"),
        ('[{"id": s["id"], "aggregate_reward_score": 1} for s in event[1:]]', "1 of 2 samples"),
        ('[{"id": "unknown", "aggregate_reward_score": 1} for s in event]', "was not sent"),
        ("0.5", "not a list"),
        ("None", "not a list"),
        ("b'oops'", "not JSON"),
    ],
)
def test_a_bad_reply_is_an_error_and_never_a_score(deploy, samples, client, result, what):
    grader = deploy(f"def lambda_handler(event, context): return {result}", client=client)
    with pytest.raises(ResponseError, match=what) as caught:
        grader.grade(samples(2))
    assert caught.value.where.startswith("reward.py, response")


def test_a_hanging_handler_is_killed_and_the_next_container_is_fresh(deploy, samples, client):
    source = """
    import time
    calls = 0
    def lambda_handler(event, context):
        global calls
        calls += 1
        if "hang" in event[0]["messages"][-1]["content"]:
            time.sleep(60)
        return [{"id": s["id"], "aggregate_reward_score": calls} for s in event]
    """
    grader = deploy(source, client=client, limits={"timeout_s": 1})
    with pytest.raises(HandlerError) as caught:
        grader.grade(samples(1, answer="hang"))
    error = caught.value
    assert error.error_type == "Sandbox.Timedout"
    assert "Error: Task timed out after 1.00 seconds" in error.what
    assert "local.lambda.timeout" in error.hint
    assert scores(grader.grade(samples(1))) == [1.0]


def test_an_import_that_hangs_is_killed_too(deploy, samples, client):
    source = "import time\ntime.sleep(60)\n" + HANDLER
    grader = deploy(source, client=client, limits={"timeout_s": 0.2, "init_timeout_s": 0.2})
    assert fail(grader, samples).error_type == "Sandbox.Timedout"


def test_a_busy_loop_is_killed_too(deploy, samples, client):
    source = "def lambda_handler(event, context):\n    while True: pass\n"
    error = fail(deploy(source, client=client, limits={"timeout_s": 0.3}), samples)
    assert error.error_type == "Sandbox.Timedout"


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_a_handler_that_exhausts_its_memory_is_told_so(deploy, samples, client):
    source = """
    def lambda_handler(event, context):
        hoard = [bytearray(8 << 20) for _ in range(100)]
        return hoard
    """
    error = fail(deploy(source, client=client), samples)
    assert error.error_type == "MemoryError"
    assert error.hint == "raise local.lambda.memorySize"


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("sys.exit(2)", "Runtime exited with error: exit status 2"),
        ("sys.exit(0)", "Runtime exited without providing a reason"),
        ("os._exit(7)", "Runtime exited with error: exit status 7"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
    ],
)
def test_a_process_that_ends_is_reported_as_lambda_does(deploy, samples, client, call, reason):
    source = f"import os, sys\ndef lambda_handler(event, context):\n    {call}\n"
    error = fail(deploy(source, client=client), samples)
    assert error.error_type == "Runtime.ExitError"
    assert reason in error.what


def test_megabytes_of_prints_neither_block_nor_fill_the_log(deploy, samples, client, tmp_path):
    source = f"""
    import sys
    def lambda_handler(event, context):
        print("first words")
        for _ in range(40):
            print("x" * 100_000)
            sys.stderr.write("y" * 100_000)
        print("last words")
        {ONE}
    """
    log = tmp_path / "logs" / "grader.log"
    log.parent.mkdir()
    grader = deploy(source, client=client, log=log)
    assert scores(grader.grade(samples(1))) == [1.0]
    text = log.read_text()
    assert "first words" in text
    assert "last words" in text
    assert "bytes not kept" in text
    assert len(text) < 70_000


def test_a_reply_over_6_mb_is_refused_as_lambda_refuses_it(deploy, samples, client):
    source = """
    def lambda_handler(event, context):
        return [{"id": s["id"], "aggregate_reward_score": 1.0, "why": "x" * (7 << 20)}
                for s in event]
    """
    grader = deploy(source, client=client)
    with pytest.raises(ResponseError, match="exceeded maximum allowed payload size"):
        grader.grade(samples(1))


def test_a_reply_just_under_6_mb_is_read(deploy, samples, client):
    source = """
    def lambda_handler(event, context):
        return [{"id": s["id"], "aggregate_reward_score": 1.0, "why": "x" * (6_200_000)}
                for s in event]
    """
    assert scores(deploy(source, client=client).grade(samples(1))) == [1.0]


def test_an_event_of_several_megabytes_arrives(deploy, samples, client):
    source = """
    def lambda_handler(event, context):
        return [{"id": s["id"], "aggregate_reward_score": len(s["messages"][-1]["content"])}
                for s in event]
    """
    batch = deploy(source, client=client).grade(samples(2, answer="é" * 1_000_000))
    assert scores(batch) == [1_000_000.0] * 2


def test_globals_persist_in_a_container_and_are_its_own(deploy, samples, client):
    source = """
    calls = 0
    def lambda_handler(event, context):
        global calls
        calls += 1
        return [{"id": s["id"], "aggregate_reward_score": calls} for s in event]
    """
    one = deploy(source, client=client, limits={"samples_per_event": 1})
    assert scores(one.grade(samples(4))) == [1.0, 2.0, 3.0, 4.0]
    assert scores(one.grade(samples(1))) == [5.0]
    two = deploy(source, client=client, limits={"samples_per_event": 1, "containers": 2})
    assert scores(two.grade(samples(4))) == [1.0, 1.0, 2.0, 2.0]
    assert scores(two.grade(samples(1))) == [3.0]
    assert scores(two.grade(samples(1))) == [3.0]


def test_a_thread_left_behind_does_not_hold_up_the_answer(deploy, samples, client):
    source = f"""
    import threading, time
    def lambda_handler(event, context):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        {ONE}
    """
    grader = deploy(source, client=client)
    assert scores(grader.grade(samples(1))) == scores(grader.grade(samples(1))) == [1.0]


@pytest.mark.parametrize("options", ["", "start_new_session=True", "env={}"])
def test_what_the_handler_started_dies_with_its_container(deploy, samples, client, options):
    mark = f"60.{os.getpid()}{time.monotonic_ns() % 10**6}"
    source = f"""
    import subprocess
    def lambda_handler(event, context):
        subprocess.Popen(["/bin/sleep", "{mark}"], {options})
        {ONE}
    """
    grader = deploy(source, client=client)
    grader.grade(samples(1))
    assert _running(mark)
    grader.close()
    assert _ends(mark)


def test_a_daemon_of_the_handler_dies_with_its_container(deploy, samples, client):
    mark = f"60.{os.getpid()}{time.monotonic_ns() % 10**6}"
    source = f"""
    import os
    def lambda_handler(event, context):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execv("/bin/sleep", ["sleep", "{mark}"])
            os._exit(0)
        os.wait()
        {ONE}
    """
    grader = deploy(source, client=client)
    grader.grade(samples(1))
    grader.close()
    assert _ends(mark)


def test_a_child_dies_with_a_parent_that_is_killed(write_reward, tmp_path, client):
    mark = f"60.{os.getpid()}{time.monotonic_ns() % 10**6}"
    reward = write_reward(f"""
    import subprocess
    def lambda_handler(event, context):
        subprocess.run(["/bin/sleep", "{mark}"])
    """)
    script = f"""
from pathlib import Path
from bedrock_rft_sim.grader import Grader, LambdaLimits, RewardFile, Sample
reward = RewardFile(Path({str(reward)!r}), limits=LambdaLimits(timeout_s=60))
grader = Grader(reward, client={client!r})
grader.grade([Sample("a", [])])
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", script], env=environment)
    deadline = time.monotonic() + 60
    while not _running(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert _ends(mark)


def _running(mark):
    """Whether a `sleep` of that many seconds runs; process ids differ between namespaces."""
    listed = subprocess.run(
        ["/bin/ps", "-A", "-o", "stat=,args="], capture_output=True, text=True, check=True
    )
    return any(
        f"sleep {mark}" in line and not line.startswith("Z") for line in listed.stdout.splitlines()
    )


def _ends(mark):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if not _running(mark):
            return True
        time.sleep(0.02)
    return False


def test_ctrl_c_at_the_terminal_does_not_reach_the_child(deploy, samples, client):
    grader = deploy(HANDLER, client=client)
    grader.grade(samples(1))
    child = grader._containers[0]._process.pid
    assert os.getsid(child) == child


def test_a_process_that_ends_between_two_events_is_replaced(deploy, samples, client):
    source = f"""
    import os, threading
    def lambda_handler(event, context):
        threading.Timer(0.05, os._exit, (1,)).start()
        {ONE}
    """
    grader = deploy(source, client=client)
    grader.grade(samples(1))
    grader._containers[0]._process.wait(timeout=10)
    assert grader.grade(samples(1)).invocations[0].errors == ()


@pytest.mark.parametrize(
    ("text", "error_type"),
    [
        ('"x" * 5_000_000', "ValueError"),
        ('"\\r\\n\\0"', "ValueError"),
        ("None", "ValueError"),
        ('"\\ud800"', "Runtime.ExitError"),  # the runtime itself fails to print it
    ],
)
def test_whatever_the_message_of_an_exception_it_can_be_logged(
    deploy, samples, client, text, error_type, tmp_path
):
    source = f"def lambda_handler(event, context): raise ValueError({text})"
    error = fail(deploy(source, client=client, log=tmp_path / "grader.log"), samples)
    assert error.error_type == error_type
    assert len(str(error)) < 5000
    assert error_type in (tmp_path / "grader.log").read_text()


def test_logging_reaches_the_log(deploy, samples, client, tmp_path):
    source = f"""
    import logging
    def lambda_handler(event, context):
        logging.getLogger().warning("careful")
        {ONE}
    """
    log = tmp_path / "grader.log"
    deploy(source, client=client, log=log).grade(samples(1))
    assert "[WARNING]\t" in log.read_text()
    assert "\tcareful" in log.read_text()
