"""What the tests of several rewards share: the made-up data, samples, and the judge's stand-in."""

from __future__ import annotations

import importlib
import json
import re
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

ROWS = Path(__file__).parent / "rows"


def objects_of(path):
    """Return the objects of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def places_of(reference, profile="both"):
    """Return the keys of a sample that holds its reference under a payload profile."""
    keys = {"reference_answer": reference}
    return {
        "metadata": {"metadata": keys},
        "root": keys,
        "both": {**keys, "metadata": keys},
    }[profile]


@pytest.fixture(scope="session")
def read_jsonl():
    """Return the function that reads a JSONL file."""
    return objects_of


@pytest.fixture(scope="session")
def answered():
    """Return a function that gives a reward's rows with an answer each, as one event."""

    def make(name, answers=None, *, profile="both", role="assistant"):
        replies = {r["id"]: r["answer"] for r in objects_of(ROWS / f"{name}.replies.jsonl")}
        event = []
        for row in objects_of(ROWS / f"{name}.jsonl"):
            answer = replies[row["id"]] if answers is None else answers(row)
            turn = {"role": role, "content": answer}
            places = places_of(row["reference_answer"], profile)
            event.append({"id": row["id"], "messages": [*row["messages"], turn], **places})
        return event

    return make


@pytest.fixture(scope="session")
def graded():
    """Return a function that grades one answer: the score and the components' values."""

    def grade(reward, answer, reference, *, profile="both", **extra):
        turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": answer}]
        sample = {"id": "s1", "messages": turns, **places_of(reference, profile), **extra}
        (result,) = reward.lambda_handler([sample], None)
        assert result["id"] == "s1"
        parts = {part["name"]: part["value"] for part in result["metrics_list"]}
        return result["aggregate_reward_score"], parts

    return grade


CONVERSE = re.compile(r"/model/([^/]+)/converse")
PART = r"<{name}-([0-9a-f]{{16}})>\n(.*?)\n</{name}-\1>"
FAILURES = {
    "throttle": (429, "ThrottlingException", "Too many requests"),
    "unavailable": (503, "ServiceUnavailableException", "Try again later"),
    "refuse": (400, "ValidationException", "Input is too long"),
    "unknown model": (400, "ValidationException", "The provided model identifier is invalid."),
    "deny": (403, "AccessDeniedException", "You don't have access to the model"),
}


class Server(ThreadingHTTPServer):
    """A server on which a whole event's requests may arrive at once."""

    daemon_threads = False  # closing waits for the last reply
    request_queue_size = 128


class Judge:
    """A stand-in for bedrock-runtime's `converse`, for an unchanged boto3 client.

    It answers yes to every criterion when the answer's last line ends in the reference. `script` is
    what the next requests meet instead: a name of FAILURES, `hang` (no reply until the test ends),
    `hang up` (the connection closes), `broken` (no JSON), `empty` (no content), `text` (prose),
    `json` (the verdict as text in a fence), `malformed` (a verdict with a word for a boolean), or
    `answer`. `verdict`, where set, replaces the verdict.
    """

    def __init__(self):
        self.script = []
        self.requests = []
        self.models = []
        self.verdict = None
        self.released = threading.Event()
        self._lock = threading.Lock()
        self._server = Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def environment(self):
        """The variables that send a boto3 client here, with made-up credentials."""
        return {
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": f"http://127.0.0.1:{self._server.server_port}",
            "AWS_ACCESS_KEY_ID": "made-up",
            "AWS_SECRET_ACCESS_KEY": "made-up",
            "AWS_REGION": "us-east-1",
        }

    def open(self):
        """Start to listen."""
        self._thread.start()

    def close(self):
        """Let hanging requests go, and stop."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reply(self, path, body):
        """Return status, error type and body for one request; None to hang up."""
        called = CONVERSE.fullmatch(unquote(path))
        assert called, path
        with self._lock:
            self.models.append(called[1])
            self.requests.append(body)
            step = self.script.pop(0) if self.script else "answer"
        if step in FAILURES:
            status, error, message = FAILURES[step]
            return status, error, json.dumps({"message": message})
        if step == "hang":
            self.released.wait(30)
        if step in ("hang", "hang up"):
            return None
        if step == "broken":
            return 200, None, "{"
        return 200, None, json.dumps(self._message(step, body))

    def _message(self, step, body):
        verdict = self._verdict(body)
        content = {
            "answer": [{"toolUse": {"toolUseId": "t", "name": "report", "input": verdict}}],
            "json": [{"text": f"```json\n{json.dumps(verdict)}\n```"}],
            "text": [{"text": "I would say it is correct."}],
            "empty": [],
            "malformed": [
                {"toolUse": {"toolUseId": "t", "name": "report", "input": {"correct": "true"}}}
            ],
        }[step]
        return {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": "tool_use",
            "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
            "metrics": {"latencyMs": 1},
        }

    def _verdict(self, body):
        if self.verdict is not None:
            return self.verdict
        text = body["messages"][0]["content"][0]["text"]
        parts = {
            name: re.search(PART.format(name=name), text, re.DOTALL)[2]
            for name in ("reference", "answer")
        }
        lines = parts["answer"].strip().rstrip(".").lower().splitlines() or [""]
        is_right = lines[-1].endswith(parts["reference"].lower())
        names = re.findall(r"^- (\w+): ", body["system"][0]["text"], re.MULTILINE)
        return dict.fromkeys(names, is_right)

    def _handler(judge):  # noqa: N805 - `self` is the request's handler
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                size = int(self.headers["Content-Length"])
                found = judge.reply(self.path, json.loads(self.rfile.read(size)))
                if found is None:
                    self.close_connection = True
                    return
                status, error, text = found
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text.encode())))
                self.send_header("Connection", "close")
                if error:
                    self.send_header("x-amzn-ErrorType", error)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args):
                pass

        return Handler


@pytest.fixture
def judge(monkeypatch):
    """Return a running stand-in for the judge; rewards.llm_judge's own boto3 client talks to it."""
    stand_in = Judge()
    for name, value in stand_in.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LLM_JUDGE_BACKOFF", "0")
    monkeypatch.setenv("LLM_JUDGE_TIMEOUT", "5")
    import rewards.llm_judge

    module = importlib.reload(rewards.llm_judge)  # its client is made at import, as on Lambda
    stand_in.open()
    with closing(stand_in):
        yield stand_in
        module.CLIENT.close()  # the one of the day: a test may have reloaded the module
