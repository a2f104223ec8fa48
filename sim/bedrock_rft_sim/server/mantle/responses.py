"""The Responses API: one message in text, as an object or as the events of its stream.

Nothing is stored, so `previous_response_id` and retrieval are refused. The local models' reasoning,
where they write any, is part of their text; there are no `response.reasoning_*` events.
Sources: OpenAI API reference, responses and its streaming events; openai Python library, types.
"""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from bedrock_rft_sim.server.inference import (
    AnswerStream,
    ModelAnswer,
    ModelError,
    ModelRequest,
    TextPiece,
)
from bedrock_rft_sim.server.mantle import chat
from bedrock_rft_sim.server.mantle.chat import TextRequest, known_values, read_message, sampling
from bedrock_rft_sim.server.mantle.errors import missing, unsupported, wrong
from bedrock_rft_sim.server.mantle.values import flag, mapping, text, whole

_OWN: Final = {"input", "instructions", "max_output_tokens", "reasoning"}
HONOURED: Final = chat.HONOURED_BY_BOTH | _OWN
IGNORED: Final = chat.IGNORED | {"stream_options"}
NEUTRAL: Final[dict[str, tuple[Any, ...]]] = {
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "include": ([],),
    "background": (False,),
    "truncation": ("disabled",),
    "top_logprobs": (0,),
    "text": ({"format": {"type": "text"}}, {}),
}


def read_response_request(body: Mapping[str, Any], *, model: str, local_model: str) -> TextRequest:
    """Check a request's body; None is the same as absent.

    Raises:
        OpenAIError: it asks for what is not simulated, or says something wrong.
    """
    known = known_values(body, HONOURED | IGNORED, NEUTRAL)
    instructions = text(known, "instructions")
    first = [] if instructions is None else [{"role": "system", "content": instructions}]
    question = ModelRequest(
        model=local_model,
        messages=first + _input(known),
        max_tokens=whole(known, "max_output_tokens", low=1),
        **sampling(known, effort=_effort(mapping(known, "reasoning"))),
    )
    return TextRequest(model, question, flag(known, "stream"), instructions=instructions)


def _effort(reasoning: Mapping[str, Any]) -> str | None:
    for name, value in reasoning.items():
        if name not in ("effort", "summary") or (name == "summary" and value is not None):
            raise unsupported(f"reasoning.{name}")
    return text(reasoning, "effort")


def _input(body: Mapping[str, Any]) -> list[dict[str, str]]:
    if "input" not in body:
        raise missing("input")
    given = body["input"]
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise wrong("input", "expected a string or a list of at least one message.")
    messages = []
    for position, item in enumerate(given):
        kind = item.get("type", "message") if isinstance(item, dict) else None
        if kind != "message":
            why = f"The local endpoint reads messages only, got {kind!r:.60}."
            raise unsupported(f"input[{position}]", why)
        messages.append(read_message(item, f"input[{position}]"))
    return messages


# The answer


class ResponseObject:
    """One response on its way from `in_progress` to its end."""

    def __init__(self, request: TextRequest) -> None:
        self._request = request
        self._id = f"resp_{uuid.uuid4().hex}"
        self._message_id = f"msg_{uuid.uuid4().hex}"
        self._created = int(time.time())
        self._numbers = itertools.count()

    def begun(self) -> dict[str, Any]:
        """Return the object before there is any text."""
        return self._object("in_progress", [], None)

    def ended(self, answer: ModelAnswer) -> dict[str, Any]:
        """Return the object with the whole answer."""
        status = _status(answer)
        return self._object(status, [self._item(status, [_part(answer.text)])], answer)

    async def events(self, stream: AnswerStream) -> AsyncIterator[dict[str, Any]]:
        """Yield the events of the stream, numbered."""
        async for event in self._events(stream):
            yield self._numbered(event)

    async def _events(self, stream: AnswerStream) -> AsyncIterator[dict[str, Any]]:
        item = {"output_index": 0}
        part = {**item, "item_id": self._message_id, "content_index": 0}
        yield {"type": "response.created", "response": self.begun()}
        yield {"type": "response.in_progress", "response": self.begun()}
        begun = self._item("in_progress", [])
        yield {"type": "response.output_item.added", **item, "item": begun}
        yield {"type": "response.content_part.added", **part, "part": _part("")}
        async for each in stream:
            if isinstance(each, TextPiece):
                delta = {"delta": each.text, "logprobs": []}
                yield {"type": "response.output_text.delta", **part, **delta}
                continue
            whole_text = {"text": each.text, "logprobs": []}
            yield {"type": "response.output_text.done", **part, **whole_text}
            yield {"type": "response.content_part.done", **part, "part": _part(each.text)}
            done = self._item(_status(each), [_part(each.text)])
            yield {"type": "response.output_item.done", **item, "item": done}
            yield {"type": f"response.{_status(each)}", "response": self.ended(each)}

    def failed(self, error: ModelError) -> dict[str, Any]:
        """Return the event of a model that failed while it wrote."""
        why = {"code": "server_error", "message": str(error)}
        response = {**self._object("failed", [], None), "error": why}
        return self._numbered({"type": "response.failed", "response": response})

    def _numbered(self, event: dict[str, Any]) -> dict[str, Any]:
        return {**event, "sequence_number": next(self._numbers)}

    def _item(self, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self._message_id,
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def _object(
        self, status: str, output: list[dict[str, Any]], answer: ModelAnswer | None
    ) -> dict[str, Any]:
        question = self._request.question
        incomplete = {"reason": "max_output_tokens"} if status == "incomplete" else None
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": None,
            "incomplete_details": incomplete,
            "instructions": self._request.instructions,
            "max_output_tokens": question.max_tokens,
            "model": self._request.model,
            "output": output,
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "reasoning": {"effort": question.template.get("reasoning_effort"), "summary": None},
            "store": False,
            "temperature": question.temperature,
            "text": {"format": {"type": "text"}},
            "tool_choice": "none",
            "tools": [],
            "top_p": question.top_p,
            "truncation": "disabled",
            "usage": None if answer is None else _usage(answer),
            "metadata": {},
        }


def _status(answer: ModelAnswer) -> str:
    return "incomplete" if answer.stop_reason == "length" else "completed"


def _part(words: str) -> dict[str, Any]:
    return {"type": "output_text", "text": words, "annotations": [], "logprobs": []}


def _usage(answer: ModelAnswer) -> dict[str, Any]:
    """Return the tokens; those of reasoning are not stream apart, and nothing is cached."""
    return {
        "input_tokens": answer.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": answer.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
    }
