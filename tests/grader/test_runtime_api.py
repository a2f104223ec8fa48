"""What a child sends to the runtime API is not trusted: a fault of the child's, in one message."""

from __future__ import annotations

import pytest

from bedrock_rft_sim.errors import HandlerError
from bedrock_rft_sim.grader.grader import FaultError

ONE = 'return [{"id": s["id"], "aggregate_reward_score": 1.0} for s in event]'
NEXT = "GET /2018-06-01/runtime/invocation/next HTTP/1.1"
HOSTILE = {
    "garbage": 'send(b"\\xff\\x00 not http\\r\\n\\r\\n")',
    "no version": 'send(b"GET /x\\r\\n\\r\\n")',
    "an endless head": 'send(b"x" * 200_000)',
    "a length that is no number": 'send(b"POST /x HTTP/1.1\\r\\nContent-Length: many\\r\\n\\r\\n")',
    "a negative length": 'send(b"POST /x HTTP/1.1\\r\\nContent-Length: -5\\r\\n\\r\\n")',
    "a length of 5,000 digits": (
        'send(b"POST /x HTTP/1.1\\r\\nContent-Length: " + b"9" * 5000 + b"\\r\\n\\r\\n")'
    ),
    "an endless body": (
        'send(b"POST /x HTTP/1.1\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n")\n'
        '    while True: send(b"x" * 65536)'
    ),
    "more than announced": 'send(b"POST /x HTTP/1.1\\r\\nContent-Length: 1\\r\\n\\r\\nabc")',
    "two requests at once": f'send(b"{NEXT}\\r\\n\\r\\n{NEXT}\\r\\n\\r\\n")',
    "the next event before an answer": f'send(b"{NEXT}\\r\\n\\r\\n")',
    "another path": 'send(b"GET /latest/meta-data HTTP/1.1\\r\\n\\r\\n")',
    "an error of the init phase": (
        'send(b"POST /2018-06-01/runtime/init/error HTTP/1.1\\r\\nContent-Length: 0\\r\\n\\r\\n")'
    ),
    "an answer to another event": (
        'send(b"POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\\r\\n\\r\\n")'
    ),
    "hundreds of connections": "more = [connect() for _ in range(300)]",
}


def graded_until_it_fails(grader, samples):
    for _ in range(50):
        grader.grade(samples)


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_runtime_client_sends_is_the_child_s_failure(deploy, samples, name):
    source = f"""
    import os, socket, time
    def connect():
        host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
        return socket.create_connection((host, int(port)))
    def lambda_handler(event, context):
        send = connect().sendall
        {HOSTILE[name].replace(chr(10), chr(10) + "    ")}
        time.sleep(60)
    """
    grader = deploy(source)
    with pytest.raises(HandlerError) as caught:
        grader.grade(samples(1))
    assert isinstance(caught.value, FaultError)
    assert caught.value.error_type == "Runtime.InvalidStateTransition"
    assert "only Lambda's runtime client may talk to it" in caught.value.what
    assert len(str(caught.value)) < 1000


def test_a_second_answer_to_one_event_is_the_child_s_failure(deploy, samples):
    source = """
    import os, socket, time
    def lambda_handler(event, context):
        host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
        sock = socket.create_connection((host, int(port)))
        head = f"POST /2018-06-01/runtime/invocation/{context.aws_request_id}/response HTTP/1.1"
        body = '[{"id": "s0", "aggregate_reward_score": 1}]'
        for _ in range(2):
            sock.sendall(f"{head}\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n{body}".encode())
            sock.recv(4096)
        time.sleep(60)
    """
    grader = deploy(source)
    with pytest.raises(HandlerError, match="was asked out of turn") as caught:
        graded_until_it_fails(grader, samples(1))
    assert caught.value.error_type == "Runtime.InvalidStateTransition"


def test_a_child_that_reads_nothing_is_a_timeout(deploy, samples):
    source = f"""
    import os, signal, subprocess
    def lambda_handler(event, context):
        subprocess.Popen(["/bin/sh", "-c", "sleep 0.2; kill -STOP %d; sleep 60" % os.getpid()])
        {ONE}
    """
    grader = deploy(source, limits={"timeout_s": 2})
    grader.grade(samples(1))
    with pytest.raises(HandlerError, match="timed out after"):
        graded_until_it_fails(grader, samples(1, answer="x" * 3_000_000))


@pytest.mark.parametrize(
    "body",
    [
        '"[" * 100_000',
        """'{"a":' * 100_000""",
        """'{"errorType": ' + '[' * 900 + ']' * 900 + '}'""",
        """'{"stackTrace": ' + str(["x"] * 500_000).replace("'", '"') + '}'""",
        """'{"stackTrace": {"a": 1}, "errorMessage": "\\\\ud800\\\\u001b[31m"}'""",
        "'[]'",
        "'null'",
        "''",
    ],
)
def test_whatever_is_reported_as_an_error_it_is_one_message(deploy, samples, body):
    source = f"""
    import os, socket, time
    def lambda_handler(event, context):
        host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
        sock = socket.create_connection((host, int(port)))
        body = ({body}).encode()
        head = f"POST /2018-06-01/runtime/invocation/{{context.aws_request_id}}/error HTTP/1.1"
        sock.sendall(f"{{head}}\\r\\nContent-Length: {{len(body)}}\\r\\n\\r\\n".encode() + body)
        time.sleep(60)
    """
    with pytest.raises(HandlerError) as caught:
        deploy(source).grade(samples(1))
    assert len(str(caught.value)) < 8000
    assert "\033" not in str(caught.value)
    str(caught.value).encode()
