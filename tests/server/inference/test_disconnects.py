"""Clients that leave before the end, too many that wait, models that fail, through both APIs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError
from openai import APIError, InternalServerError, OpenAI, RateLimitError

from bedrock_rft_sim.server.inference import Models, models
from tests.jobs.conftest import wait_until
from tests.server.conftest import Endpoint
from tests.server.inference.test_models import LOADER

# A process that says one piece of an answer and no more, or, asked to be mute, not even that.
SLOW = """
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if "ask" in message and "mute" not in str(message["messages"]):
        print(json.dumps({"ask": message["ask"], "piece": "one"}), flush=True)
        if "fail" in str(message["messages"]):
            sys.exit(1)
"""
GPT = "openai.gpt-oss-20b"
NOVA = "amazon.nova-2-lite-v1:0:256k"


@pytest.fixture
def slow(serve_root: Callable[..., Endpoint]) -> Endpoint:
    endpoint = serve_root()
    endpoint.state.models = Models(command=(sys.executable, "-c", SLOW))
    return endpoint


def plain(text: str) -> Any:
    return [{"role": "user", "content": text}]


def chat(client: OpenAI, text: str, *, stream: bool = True) -> Any:
    return client.chat.completions.create(model=GPT, messages=plain(text), stream=stream)


def respond(client: OpenAI, text: str) -> Any:
    return client.responses.create(model=GPT, input=text, stream=True)


def messages_of(text: str) -> Any:
    return [{"role": "user", "content": [{"text": text}]}]


def converse(runtime: Any, text: str) -> Any:
    return runtime.converse_stream(modelId=NOVA, messages=messages_of(text))["stream"]


@pytest.mark.parametrize("ask", [chat, respond])
def test_an_answer_that_nobody_reads_any_more_is_called_off(
    slow: Endpoint, ask: Callable[[OpenAI, str], Any]
) -> None:
    with OpenAI(base_url=f"{slow.url}/v1", api_key="local", max_retries=0) as client:
        stream = ask(client, "go")
        next(iter(stream))
        assert len(slow.state.models._waiting) == 1
        stream.close()
        wait_until(lambda: not slow.state.models._waiting)


def test_a_conversation_that_nobody_reads_any_more_is_called_off(slow: Endpoint) -> None:
    with closing(slow.client("bedrock-runtime")) as runtime:
        stream = converse(runtime, "go")
        next(iter(stream))
        assert len(slow.state.models._waiting) == 1
        stream.close()
        wait_until(lambda: not slow.state.models._waiting)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"model": GPT, "messages": plain("go")}),
        ("/v1/chat/completions", {"model": GPT, "messages": plain("mute"), "stream": True}),
        ("/v1/responses", {"model": GPT, "input": "go"}),
        ("/v1/responses", {"model": GPT, "input": "mute", "stream": True}),
        (f"/model/{NOVA}/converse", {"messages": messages_of("go")}),
        (f"/model/{NOVA}/converse-stream", {"messages": messages_of("mute")}),
        (f"/model/{NOVA}/invoke", {"messages": messages_of("go")}),
        (f"/model/{NOVA}/invoke-with-response-stream", {"messages": messages_of("mute")}),
    ],
)
def test_an_answer_that_has_not_begun_is_called_off_too(
    slow: Endpoint, path: str, body: dict[str, Any]
) -> None:
    with closing(HTTPConnection(slow.url.removeprefix("http://"), timeout=30)) as connection:
        connection.request("POST", path, json.dumps(body))
        wait_until(lambda: bool(slow.state.models._waiting))
    wait_until(lambda: not slow.state.models._waiting)


def test_more_asks_than_may_wait_are_told_to_come_later(
    slow: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "WAITING_MAX", 1)
    with (
        OpenAI(base_url=f"{slow.url}/v1", api_key="local", max_retries=0) as client,
        closing(slow.client("bedrock-runtime")) as runtime,
    ):
        first = chat(client, "go")
        next(iter(first))
        for stream in (False, True):
            with pytest.raises(RateLimitError, match="ask again later"):
                chat(client, "go", stream=stream)
        with pytest.raises(ClientError, match="ThrottlingException"):
            runtime.converse(modelId=NOVA, messages=messages_of("go"))
        first.close()
        wait_until(lambda: not slow.state.models._waiting)
        second = chat(client, "go")
        next(iter(second))
        second.close()


def test_a_model_that_loads_for_long_is_not_ready_which_clients_retry(
    slow: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "LOAD_WAIT_S", 0.1)
    monkeypatch.setattr(slow.state.models, "_is_loading", True)
    with (
        OpenAI(base_url=f"{slow.url}/v1", api_key="local", max_retries=0) as client,
        closing(slow.client("bedrock-runtime")) as runtime,
    ):
        with pytest.raises(InternalServerError, match="still being loaded") as refused:
            chat(client, "mute")
        assert refused.value.status_code == 503
        assert "x-should-retry" not in refused.value.response.headers
        with pytest.raises(ClientError, match="ModelNotReadyException"):
            runtime.converse(modelId=NOVA, messages=messages_of("mute"))
    shape = runtime.meta.service_model.shape_for("ModelNotReadyException")
    assert "retryable" in shape.metadata


def test_clients_get_over_a_model_that_loads_by_themselves(
    serve_root: Callable[..., Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "LOAD_WAIT_S", 0.2)
    endpoint = serve_root()
    for ask in (answer_of_boto3, answer_of_openai):
        endpoint.state.models.close()
        endpoint.state.models = Models(command=(sys.executable, "-c", LOADER))
        assert ask(endpoint) == "loaded"


def answer_of_boto3(endpoint: Endpoint) -> str:
    retries = {"retries": {"total_max_attempts": 5, "mode": "standard"}}
    with closing(endpoint.client("bedrock-runtime", config=retries)) as runtime:
        said = runtime.converse(modelId=NOVA, messages=messages_of("go"))
    assert said["ResponseMetadata"]["RetryAttempts"] > 0
    return str(said["output"]["message"]["content"][0]["text"])


def answer_of_openai(endpoint: Endpoint) -> str:
    with OpenAI(base_url=f"{endpoint.url}/v1", api_key="local", max_retries=4) as client:
        return str(chat(client, "go", stream=False).choices[0].message.content)


def test_a_model_that_dies_in_the_midst_of_a_stream_ends_it_with_an_error(slow: Endpoint) -> None:
    with OpenAI(base_url=f"{slow.url}/v1", api_key="local", max_retries=0) as client:
        with pytest.raises(APIError, match="process of the model died"):
            list(chat(client, "fail"))
        last = list(respond(client, "fail"))[-1]
        assert last.type == "response.failed"
        assert "died" in last.response.error.message
    with closing(slow.client("bedrock-runtime")) as runtime:
        stream = converse(runtime, "fail")
        with pytest.raises(EventStreamError, match="modelStreamErrorException"):
            list(stream)
        stream.close()
