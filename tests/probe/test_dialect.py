"""Every form in which a chat endpoint answers or refuses."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from bedrock_rft_sim.probe import dialect
from bedrock_rft_sim.probe.dialect import AttemptFaultError, parsed, provider_words, read_answer

SENT = {"max_tokens": 64, "temperature": 0.6, "top_p": 0.9, "reasoning_effort": "low"}


def reply(message: Any, reason: str | None = "stop") -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": message, "finish_reason": reason}]}


@pytest.mark.parametrize(
    "content",
    [
        "#### 5",
        [{"type": "text", "text": "#### 5"}],
        [{"type": "text", "text": "####"}, {"type": "text", "text": " 5"}],
        [{"type": "output_text", "text": "#### 5"}],
        [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"text": "#### 5"}],
        [{"type": "reasoning", "text": "hm"}, {"type": "text", "text": "#### 5"}],
        ["####", " 5"],
    ],
)
def test_the_text_parts_of_a_reply_are_joined_and_its_thinking_is_left_out(content: Any) -> None:
    assert read_answer(reply({"role": "assistant", "content": content}))["text"] == "#### 5"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"content": None, "reasoning_content": "long thought"}, "stop"),
        ({"content": None, "tool_calls": [{"id": "c", "type": "function"}]}, "tool_calls"),
        ({"content": None, "refusal": "I can't help with that"}, "stop"),
        ({"content": []}, "end_turn"),
        ({"content": [{"type": "thinking", "thinking": "hm"}]}, "stop"),
        ({}, "stop"),
        (None, "stop"),
    ],
)
def test_a_finished_reply_without_text_is_an_empty_answer(message: Any, reason: str) -> None:
    found = read_answer(reply(message, reason))
    assert (found["text"], found["stop_reason"]) == ("", "stop")


@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS", "model_length"])
def test_a_reply_that_was_cut_says_so_under_every_name(reason: str) -> None:
    assert read_answer(reply({"content": "2+3="}, reason))["stop_reason"] == "length"


@pytest.mark.parametrize("reason", ["content_filter", "SAFETY", "guardrail_intervened"])
def test_a_reply_that_was_withheld_is_never_an_answer(reason: str) -> None:
    with pytest.raises(AttemptFaultError, match="content filter"):
        read_answer(reply({"content": ""}, reason))


@pytest.mark.parametrize(
    ("answer", "words", "attempts", "outage"),
    [
        ({"error": {"message": "busy", "code": 429}}, "says: busy (429)", 8, True),
        ({"choices": [], "error": {"message": "down", "code": 502}}, "says: down (502)", 5, True),
        ({"error": {"message": "too long", "code": 400}}, "says: too long (400)", 1, False),
        ({"error": {"message": "no", "code": "bad"}}, "says: no (bad)", 5, False),
        ({"error": "unlucky"}, "says: unlucky", 5, False),
        ({"choices": [{"error": {"message": "cut off", "code": 502}}]}, "says: cut off", 5, True),
    ],
)
def test_an_error_in_a_reply_is_told_and_worth_what_its_status_would_be(
    answer: dict, words: str, attempts: int, outage: bool
) -> None:
    with pytest.raises(AttemptFaultError) as caught:
        read_answer(answer)
    assert words in str(caught.value)
    assert (caught.value.attempts, caught.value.outage) == (attempts, outage)


def test_an_empty_error_beside_an_answer_is_none() -> None:
    assert read_answer({**reply({"content": "#### 5"}), "error": None})["text"] == "#### 5"


STREAMED = (
    'data: {"choices": [{"delta": {"role": "assistant"}}]}\n\n'
    'data: {"choices": [{"delta": {"content": "####"}}]}\n\n'
    'data: {"choices": [{"delta": {"content": " 5"}, "finish_reason": "length"}]}\n\n'
    'data: {"choices": [], "usage": {"completion_tokens": 3}}\n\ndata: [DONE]\n\n'
)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (json.dumps(reply({"content": "#### 5"}, "length")).encode(), None),
        (b"\n  \n" + json.dumps(reply({"content": "#### 5"}, "length")).encode(), None),
        (gzip.compress(json.dumps(reply({"content": "#### 5"}, "length")).encode()), "gzip"),
        (STREAMED.encode(), None),
        (gzip.compress(STREAMED.encode()), "gzip"),
    ],
    ids=["plain", "kept alive", "gzip", "streamed", "streamed and gzip"],
)
def test_a_reply_is_read_however_it_is_sent(body: bytes, encoding: str | None) -> None:
    found = read_answer(parsed(body, encoding))
    assert (found["text"], found["stop_reason"]) == ("#### 5", "length")


def test_the_tokens_of_a_stream_are_counted_by_its_last_chunk() -> None:
    assert read_answer(parsed(STREAMED.encode(), None))["tokens"] == 3


def test_an_error_in_a_stream_is_told() -> None:
    body = b'data: {"choices": []}\n\ndata: {"error": {"message": "upstream is busy"}}\n\n'
    with pytest.raises(AttemptFaultError, match="says: upstream is busy"):
        read_answer(parsed(body, None))


def test_a_compressed_reply_is_unpacked_only_to_the_limit() -> None:
    with pytest.raises(AttemptFaultError, match="larger than"):
        parsed(gzip.compress(bytes(dialect.BODY_MAX + 1)), "gzip")
    with pytest.raises(AttemptFaultError, match="no gzip"):
        parsed(b"\x1f\x8bjunk", "gzip")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("top_p", {"error": {"message": "no top_p here", "param": "top_p"}}),
        ("max_tokens", {"error": {"message": "say max_completion_tokens", "param": "max_tokens"}}),
        ("max_tokens", {"error": {"message": "Unsupported parameter: 'max_tokens'. Use another"}}),
        ("temperature", {"error": {"message": "'temperature' does not support 0.6"}}),
        ("top_p", {"message": "`temperature` and `top_p` cannot both be specified"}),
        ("reasoning_effort", {"message": "extraneous key [reasoning_effort] is not permitted"}),
        ("reasoning_effort", {"detail": [{"loc": ["body", "reasoning_effort"], "msg": "no"}]}),
        ("reasoning_effort", "Unrecognized request argument supplied: reasoning_effort"),
        (None, {"error": {"message": "the temperature of water is not allowed here"}}),
        (None, {"error": {"message": "8192 tokens fit", "param": "messages"}}),
        (None, {"error": {"message": "Unsupported parameter: 'logprobs'", "param": "logprobs"}}),
        (None, "<html>"),
    ],
)
def test_a_refused_parameter_is_known_by_every_provider_s_words(
    name: str | None, body: Any
) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    assert dialect.refused_parameter(text, SENT) == name


def test_a_parameter_that_was_not_sent_is_not_the_reason() -> None:
    body = json.dumps({"error": {"message": "Unsupported: 'top_p'", "param": "top_p"}})
    assert dialect.refused_parameter(body, {"max_tokens": 64}) is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": {"message": "too long", "type": "x"}}', "too long"),
        ('{"error": "too long"}', "too long"),
        ('{"message": "too long"}', "too long"),
        ('{"Message": "too long"}', "too long"),
        ('{"detail": "too long"}', "too long"),
        ('{"detail": [{"loc": ["body", "n"], "msg": "too long"}]}', "body.n: too long"),
        ('{"object": "error", "message": "too long", "code": 400}', "too long"),
        ("too long", "too long"),
        ('{"odd": 1}', '{"odd": 1}'),
    ],
)
def test_an_error_s_own_words_are_found_in_every_place(body: str, words: str) -> None:
    assert provider_words(body) == words
