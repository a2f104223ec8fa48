"""The two doors to the models: chat completions and responses, whole or streamed.

Sources: OpenAI API reference, chat completions and responses.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bedrock_rft_sim.server.inference import (
    AnswerStream,
    Busy,
    ModelAnswer,
    ModelError,
    ModelRequest,
    models_of,
    start_stream,
    unless_disconnected,
)
from bedrock_rft_sim.server.mantle import chat, responses
from bedrock_rft_sim.server.mantle.errors import OpenAIError, model_failed
from bedrock_rft_sim.server.mantle.http import event, event_stream, model_name, read_body
from bedrock_rft_sim.server.mantle.models import local_model
from bedrock_rft_sim.server.state import ServerState

T = TypeVar("T")


class Inference:
    """Endpoints that ask the models."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    async def chat(self, request: Request) -> Response:
        """Answer `POST /v1/chat/completions`."""
        body = await read_body(request)
        name = model_name(body)
        asked = chat.read_chat(body, model=name, local_model=await self._local(name))
        if not asked.stream:
            return JSONResponse(chat.as_completion(asked, await self._answer(request, asked.ask)))
        return event_stream(_chat_events(asked, await self._begun(request, asked.ask)))

    async def responses(self, request: Request) -> Response:
        """Answer `POST /v1/responses`."""
        body = await read_body(request)
        name = model_name(body)
        local = await self._local(name)
        asked = responses.read_response_request(body, model=name, local_model=local)
        response = responses.Response(asked)
        if not asked.stream:
            return JSONResponse(response.ended(await self._answer(request, asked.ask)))
        return event_stream(_response_events(response, await self._begun(request, asked.ask)))

    async def _local(self, name: str) -> str:
        return await run_in_threadpool(local_model, self._state, name)

    async def _answer(self, request: Request, ask: ModelRequest) -> ModelAnswer:
        return await _in_turn(request, models_of(self._state).answer(ask))

    async def _begun(self, request: Request, ask: ModelRequest) -> AnswerStream:
        return await _in_turn(request, start_stream(models_of(self._state), ask))


async def _in_turn(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return what the work gives, as long as its client waits for it."""
    try:
        return await unless_disconnected(request, work)
    except Busy as error:
        raise OpenAIError(
            str(error), status=429, kind="rate_limit_error", code="rate_limit_exceeded"
        ) from error


async def _chat_events(asked: chat.ChatRequest, told: AnswerStream) -> AsyncIterator[str]:
    try:
        async for chunk in chat.as_chunks(asked, told):
            yield event(chunk)
    except ModelError as error:
        yield event(dict(model_failed(error).body()))
    finally:
        await told.aclose()
    yield "data: [DONE]\n\n"


async def _response_events(response: responses.Response, told: AnswerStream) -> AsyncIterator[str]:
    number = 0
    try:
        async for each in response.events(told):
            number += 1
            yield event(each, name=each["type"])
    except ModelError as error:
        failed = {**response.failed(str(error)), "sequence_number": number}
        yield event(failed, name=failed["type"])
    finally:
        await told.aclose()
