"""Chat completions: what a request may say, and the answer as an object or in chunks.

Honoured, ignored and neutral-only parameters stand in the tables below; any other is refused,
because an answer that quietly lacks what was requested is worse than none.
Sources: OpenAI API reference, chat completions; openai Python library (its parameters' names).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bedrock_rft_sim.server.inference import ModelAnswer, ModelRequest, TextPiece
from bedrock_rft_sim.server.mantle.errors import missing, unsupported, wrong
from bedrock_rft_sim.server.mantle.values import flag, mapping, number, text, texts, whole

HONOURED_BY_BOTH: Final = frozenset({"model", "temperature", "top_p", "stream"})
"""Here and in the Responses API."""
HONOURED: Final = HONOURED_BY_BOTH | {
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "seed",
    "stream_options",
    "reasoning_effort",
}
IGNORED: Final = frozenset(
    {
        "user",
        "metadata",
        "store",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "service_tier",
        "parallel_tool_calls",
    }
)
"""They change nothing about the text."""
NEUTRAL: Final[dict[str, tuple[Any, ...]]] = {
    "n": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "tools": ([],),
    "functions": ([],),
    "tool_choice": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
}
"""Accepted with the value that asks for nothing."""
ROLES: Final = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
STOP_MAX: Final = 4
FINISH: Final = {"stop": "stop", "stop_sequence": "stop", "length": "length"}


@dataclass(frozen=True, slots=True)
class TextRequest:
    """A checked request of chat completions or of the Responses API."""

    model: str
    """As the client calls it."""
    question: ModelRequest
    stream: bool
    include_usage: bool = False
    """At the end of chat completion's stream."""
    instructions: str | None = None
    """Of the Responses API."""


def read_chat(body: Mapping[str, Any], *, model: str, local_model: str) -> TextRequest:
    """Check a request's body; None is the same as absent.

    Raises:
        OpenAIError: it asks for what is not simulated, or says something wrong.
    """
    known = known_values(body, HONOURED | IGNORED, NEUTRAL)
    limit = "max_completion_tokens" if "max_completion_tokens" in known else "max_tokens"
    seed = whole(known, "seed", low=-(2**63))
    question = ModelRequest(
        model=local_model,
        messages=_messages(known),
        max_tokens=whole(known, limit, low=1),
        stop=texts(known, "stop", most=STOP_MAX),
        seed=None if seed is None else seed % 2**63,
        **sampling(known, effort=text(known, "reasoning_effort")),
    )
    has_usage = flag(mapping(known, "stream_options"), "include_usage", under="stream_options")
    return TextRequest(model, question, flag(known, "stream"), include_usage=has_usage)


def sampling(known: Mapping[str, Any], *, effort: str | None) -> dict[str, Any]:
    """Return what both APIs say in the same way about how the model answers."""
    return {
        "temperature": number(known, "temperature", low=0, high=2, absent=1.0),
        "top_p": number(known, "top_p", low=0, high=1, absent=1.0) or 1e-9,
        "template": {} if effort is None else {"reasoning_effort": effort},
    }


def known_values(
    body: Mapping[str, Any], allowed: frozenset[str], neutral: Mapping[str, tuple[Any, ...]]
) -> dict[str, Any]:
    """Return the parameters that are not None, once none would have an effect that it lacks here.

    Raises:
        OpenAIError: one of them would.
    """
    known = {name: value for name, value in body.items() if value is not None}
    for name, value in known.items():
        if name in neutral:
            # True == 1 in Python, not in JSON.
            same = [each for each in neutral[name] if type(each) is type(value) or _numbers(value)]
            if value not in same:
                why = f"The local endpoint takes it only as {neutral[name][0]!r}."
                raise unsupported(name, why)
        elif name not in allowed:
            raise unsupported(name)
    return known


def _numbers(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _messages(body: Mapping[str, Any]) -> list[dict[str, str]]:
    if "messages" not in body:
        raise missing("messages")
    messages = body["messages"]
    if not isinstance(messages, list) or not messages:
        raise wrong("messages", "expected a list of at least one message.")
    return [read_message(each, f"messages[{n}]") for n, each in enumerate(messages)]


def read_message(message: Any, where: str) -> dict[str, str]:
    """Return role and text of a message.

    Raises:
        OpenAIError: it is none, or holds more than text.
    """
    if not isinstance(message, dict):
        raise wrong(where, "expected an object with role and content.")
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise wrong(f"{where}.role", f"expected one of {', '.join(ROLES)}, got {role!r:.60}.")
    for name in ("tool_calls", "function_call", "audio"):
        if message.get(name):
            raise unsupported(f"{where}.{name}", "The local endpoint answers with text only.")
    return {"role": ROLES[role], "content": read_content(message.get("content"), where)}


def read_content(content: Any, where: str) -> str:
    """Return the text of a message's content, a string or text parts.

    Raises:
        OpenAIError: it is neither.
    """
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        raise wrong(f"{where}.content", "expected a string or a list of text parts.")
    return "".join(
        _part(part, f"{where}.content[{position}]") for position, part in enumerate(content)
    )


def _part(part: Any, where: str) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind not in ("text", "input_text", "output_text"):
        raise unsupported(where, f"The local endpoint reads text parts only, got {kind!r:.60}.")
    if not isinstance(part.get("text"), str):
        raise wrong(f"{where}.text", "expected a string.")
    found: str = part["text"]
    return found


# The answer


def usage_of(answer: ModelAnswer) -> dict[str, int]:
    """Return the tokens that went in and came out."""
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
    }


def as_completion(request: TextRequest, answer: ModelAnswer) -> dict[str, Any]:
    """Return the chat.completion object."""
    message = {"role": "assistant", "content": answer.text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None}
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request.model,
        "choices": [{**choice, "finish_reason": FINISH[answer.stop_reason]}],
        "usage": usage_of(answer),
        "system_fingerprint": None,
    }


async def as_chunks(
    request: TextRequest, stream: AsyncIterator[TextPiece | ModelAnswer]
) -> AsyncIterator[dict[str, Any]]:
    """Yield the chat.completion.chunk objects, the usage last where the request wants it."""
    head = {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": request.model,
        "system_fingerprint": None,
    }

    def chunk(delta: dict[str, str], finish: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**head, "choices": [choice], **({"usage": None} if request.include_usage else {})}

    yield chunk({"role": "assistant", "content": ""}, None)
    async for each in stream:
        if isinstance(each, TextPiece):
            yield chunk({"content": each.text}, None)
            continue
        yield chunk({}, FINISH[each.stop_reason])
        if request.include_usage:
            yield {**head, "choices": [], "usage": usage_of(each)}
