"""Whoever polls is answered while others' long calls and large bodies are worked on."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.responses import Response

from bedrock_rft_sim.server import json_body
from bedrock_rft_sim.server.aws.local_s3 import LocalS3
from bedrock_rft_sim.server.aws.moto_app import MotoResponse
from bedrock_rft_sim.server.lambda_.functions import FunctionOperations
from bedrock_rft_sim.server.lambda_.invoke import InvokeOperation
from tests.server.conftest import Endpoint

MANY = 45  # more than the default pool has threads
PATIENCE_S = 10.0
FUNCTION = (
    b'{"FunctionName":"f","Role":"arn:aws:iam::123456789012:role/r","Code":{},"Handler":"a.b"}'
)


class Held:
    """A call that does not end until it is let go."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self._go_on = threading.Event()
        self.entered = threading.Semaphore(0)

    def __call__(self, *_: Any, **__: Any) -> Any:
        self.entered.release()
        assert self._go_on.wait(6 * PATIENCE_S)
        return self._answer

    def let_go(self) -> None:
        self._go_on.set()


@pytest.fixture
def hold() -> Iterator[Callable[[Any], Held]]:
    """Return a function that makes held calls; all are let go in the end."""
    made: list[Held] = []

    def make(answer: Any) -> Held:
        made.append(Held(answer))
        return made[-1]

    yield make
    for each in made:
        each.let_go()


@contextmanager
def sent(
    endpoint: Endpoint, path: str, *, count: int, body: bytes = b"{}", service: str = "bedrock"
) -> Iterator[Callable[[], set[int]]]:
    """Send requests without waiting for their answers; gives a function that does."""
    scope = f"AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/{service}/aws4_request, "
    with ExitStack() as stack:
        address = urlsplit(endpoint.url).netloc
        made = [http.client.HTTPConnection(address, timeout=6 * PATIENCE_S) for _ in range(count)]
        for connection in made:
            stack.enter_context(closing(connection))
            headers = {} if path.startswith("/v1/") else {"Authorization": scope}
            connection.request("POST", path, body=body, headers=headers)
        yield lambda: {connection.getresponse().status for connection in made}


def poll(endpoint: Endpoint) -> None:
    """Poll as users do; fails where no thread, or no event loop, is there to answer."""
    client = endpoint.client("bedrock", config={"read_timeout": PATIENCE_S})
    for _ in range(3):
        assert "modelCustomizationJobSummaries" in client.list_model_customization_jobs()


@pytest.mark.parametrize(
    ("owner", "name", "answer", "service", "path"),
    [
        (
            InvokeOperation,
            "invoke",
            Response(b"1"),
            "lambda",
            "/2015-03-31/functions/any/invocations",
        ),
        (FunctionOperations, "create", {}, "lambda", "/2015-03-31/functions"),
        (LocalS3, "call", MotoResponse(200, (), b""), "s3", "/a-bucket/key"),
    ],
)
def test_whoever_polls_finds_a_thread_while_many_others_wait(
    serve_root: Callable[..., Endpoint],
    monkeypatch: pytest.MonkeyPatch,
    hold: Callable[[Any], Held],
    owner: type,
    name: str,
    answer: Any,
    service: str,
    path: str,
) -> None:
    held = hold(answer)
    monkeypatch.setattr(owner, name, held)
    endpoint = serve_root()
    with sent(endpoint, path, count=MANY, body=FUNCTION, service=service) as statuses:
        assert held.entered.acquire(timeout=PATIENCE_S)
        poll(endpoint)
        held.let_go()
        assert statuses() <= {200, 201}


@pytest.mark.parametrize(
    "path",
    [
        "/model-customization-jobs",
        "/v1/chat/completions",
        "/v1/fine_tuning/jobs",
        "/model/openai.gpt-oss-20b/invoke",
    ],
)
def test_others_are_answered_while_a_body_is_read(
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    hold: Callable[[Any], Held],
    path: str,
) -> None:
    held = hold([])
    monkeypatch.setattr(json_body, "parse_json", held)
    with sent(endpoint, path, count=1) as statuses:
        assert held.entered.acquire(timeout=PATIENCE_S)
        poll(endpoint)
        held.let_go()
        assert statuses() == {400}
