"""A child's end explains itself: its last lines, and what they mean on Lambda."""

from __future__ import annotations

import pytest

from bedrock_rft_sim.errors import HandlerError

ONE = 'return [{"id": s["id"], "aggregate_reward_score": 1.0} for s in event]'


def fail(grader, samples):
    with pytest.raises(HandlerError) as caught:
        grader.grade(samples(1))
    return caught.value


@pytest.mark.parametrize(
    ("end", "what"),
    [
        ("sys.exit(3)", "exit status 3"),
        ("os._exit(0)", "without providing a reason"),
        ("os.kill(os.getpid(), 9)", "signal: killed"),
        ("time.sleep(60)", "timed out"),
        ("os.abort()", "signal: aborted"),
    ],
)
def test_every_end_quotes_the_handler_s_last_lines(deploy, samples, client, end, what):
    source = f"""
    import os, sys, time
    def lambda_handler(event, context):
        print("first line")
        for number in range(20):
            print("reading table", number)
        sys.stderr.write("no table \\033[31mof units\\n")
        {end}
    """
    error = fail(deploy(source, client=client, limits={"timeout_s": 1}), samples)
    assert what in error.what
    assert error.found.startswith("the handler's last lines:\n")
    assert "reading table 19\n" in error.found
    assert "no table" in error.found
    assert "first line" not in error.found
    assert "\033" not in str(error)


def test_an_end_at_import_quotes_the_last_lines(deploy, samples, client):
    error = fail(deploy("print('before')\nraise SystemExit('no table')", client=client), samples)
    assert "before\n" in error.found
    assert "no table" in error.found


def test_a_process_that_says_nothing_is_quoted_with_nothing(deploy, samples):
    error = fail(deploy("import os\ndef lambda_handler(e, c): os._exit(1)"), samples)
    assert error.found is None


@pytest.mark.parametrize("name", ["json.py", "logging.py"])
def test_a_reward_named_like_a_module_of_python_is_named_as_the_cause(
    deploy, write_reward, samples, client, name
):
    reward = write_reward(f"def lambda_handler(event, context): {ONE}", name=name)
    error = fail(deploy(reward, client=client), samples)
    assert f"{name} in the reward hides Python's own module" in error.hint
    assert (
        "Import" in str(error) or "no attribute" in str(error) or "missing on module" in str(error)
    )


def test_a_neighbour_named_like_a_module_of_python_is_named_as_the_cause(
    deploy, write_reward, samples, client
):
    write_reward("WORDS = ['a', 'b']", name="folder/random.py")
    reward = write_reward(
        f"import tempfile\ndef lambda_handler(event, context): {ONE}",
        name="folder/lambda_function.py",
    )
    error = fail(deploy(reward.parent, client=client), samples)
    assert "random.py in the reward hides Python's own module" in error.hint


def test_a_package_in_the_folder_named_like_a_module_is_no_cause_of_other_faults(
    deploy, write_reward, samples
):
    write_reward("", name="folder/statistics.py")
    reward = write_reward("def lambda_handler(e, c): 1 / 0", name="folder/lambda_function.py")
    assert fail(deploy(reward.parent), samples).hint is None


@pytest.mark.parametrize(
    "failing",
    [
        "raise type('NoCredentialsError', (Exception,), {})('Unable to locate credentials')",
        "print('NoCredentialsError: Unable to locate credentials'); raise RuntimeError('judge')",
    ],
)
def test_a_judge_without_credentials_is_told_how_to_pass_them(deploy, samples, client, failing):
    source = f"def lambda_handler(event, context):\n    {failing}\n"
    error = fail(deploy(source, client=client), samples)
    assert "local.lambda.passAwsCredentials: true" in error.hint


def test_a_real_client_without_credentials_is_told_so_too(deploy, samples):
    pytest.importorskip("boto3")
    source = """
    import boto3
    def lambda_handler(event, context):
        boto3.client("bedrock-runtime").converse(modelId="m", messages=[])
    """
    error = fail(deploy(source, limits={"memory_mb": 512}), samples)
    assert error.error_type == "NoCredentialsError"
    assert "passAwsCredentials" in error.hint


def test_a_judge_that_grades_in_spite_of_missing_credentials_is_warned_of(deploy, samples):
    source = f"""
    def lambda_handler(event, context):
        print("judge failed: Unable to locate credentials")
        {ONE}
    """
    (warning,) = deploy(source).grade(samples(1)).warnings
    assert "passAwsCredentials" in warning


@pytest.mark.parametrize("name", ["'x' * 3000", "'a\\0b'", "'\\ud800'", "'é' * 240"])
def test_whatever_is_missing_it_is_one_message(deploy, samples, name):
    source = f"""
    def lambda_handler(event, context):
        raise RuntimeError("No such file or directory: '" + {name} + "'")
    """
    assert fail(deploy(source), samples).error_type in ("RuntimeError", "Runtime.ExitError")
