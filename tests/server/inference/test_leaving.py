"""Clients that leave in the midst of a stream, and models that fail there, through both doors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from botocore.exceptions import EventStreamError
from openai import APIError, OpenAI

from sim.server.inference import Models
from tests.jobs.conftest import wait_until
from tests.server.conftest import Endpoint

# A process that says one piece of an answer and no more.
SLOW = """
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if "ask" in message:
        print(json.dumps({"ask": message["ask"], "piece": "one"}), flush=True)
        if "fail" in str(message["messages"]):
            sys.exit(1)
"""
NOVA = "amazon.nova-2-lite-v1:0:256k"


@pytest.fixture
def slow(serve_root: Callable[..., Endpoint]) -> Endpoint:
    endpoint = serve_root()
    endpoint.state.models = Models(command=(sys.executable, "-c", SLOW))
    endpoint.state.closers.append(endpoint.state.models.close)
    return endpoint


def chat(client: OpenAI, text: str) -> Any:
    return client.chat.completions.create(
        model="openai.gpt-oss-20b", messages=[{"role": "user", "content": text}], stream=True
    )


def respond(client: OpenAI, text: str) -> Any:
    return client.responses.create(model="openai.gpt-oss-20b", input=text, stream=True)


def converse(runtime: Any, text: str) -> Any:
    messages = [{"role": "user", "content": [{"text": text}]}]
    return runtime.converse_stream(modelId=NOVA, messages=messages)["stream"]


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
