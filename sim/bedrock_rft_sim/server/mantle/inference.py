"""The two operations that answer with a model: chat completions and responses, whole or streamed.

Sources: OpenAI API reference, chat completions and responses.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bedrock_rft_sim.server.inference import (
    AnswerStream,
    ModelAnswer,
    ModelError,
    ModelRequest,
    start_stream,
    unless_disconnected,
)
from bedrock_rft_sim.server.mantle import chat, responses
from bedrock_rft_sim.server.mantle.errors import model_failed, wrong
from bedrock_rft_sim.server.mantle.http import event, event_stream, read_body
from bedrock_rft_sim.server.mantle.models import local_model
from bedrock_rft_sim.server.state import ServerState


class InferenceEndpoints:
    """Endpoints of the models' answers."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    async def chat(self, request: Request) -> Response:
        """Answer `POST /v1/chat/completions`."""
        body, name, local = await self._read(request)
        checked = chat.read_chat(body, model=name, local_model=local)
        if not checked.stream:
            answer = await self._answer(request, checked.question)
            return JSONResponse(chat.as_completion(checked, answer))
        stream = await self._begun(request, checked.question)
        chunks = chat.as_chunks(checked, stream)
        return event_stream(_sent(stream, chunks, _chat_failed, end="data: [DONE]\n\n"))

    async def responses(self, request: Request) -> Response:
        """Answer `POST /v1/responses`."""
        body, name, local = await self._read(request)
        checked = responses.read_response_request(body, model=name, local_model=local)
        response = responses.ResponseObject(checked)
        if not checked.stream:
            return JSONResponse(response.ended(await self._answer(request, checked.question)))
        stream = await self._begun(request, checked.question)
        return event_stream(_sent(stream, response.events(stream), response.failed))

    async def _read(self, request: Request) -> tuple[dict[str, Any], str, str]:
        """Return the body, the model that it names, and the local one."""
        body = await read_body(request)
        name = body.get("model")
        if not isinstance(name, str) or not name:
            raise wrong("model", "expected the name of a model.", code="missing_required_parameter")
        return body, name, await run_in_threadpool(local_model, self._state, name)

    async def _answer(self, request: Request, question: ModelRequest) -> ModelAnswer:
        return await unless_disconnected(request, self._state.models.answer(question))

    async def _begun(self, request: Request, question: ModelRequest) -> AnswerStream:
        return await unless_disconnected(request, start_stream(self._state.models, question))


def _chat_failed(error: ModelError) -> Mapping[str, Any]:
    return model_failed(error).body()


async def _sent(
    stream: AnswerStream,
    events: AsyncIterator[dict[str, Any]],
    failed: Callable[[ModelError], Mapping[str, Any]],
    *,
    end: str = "",
) -> AsyncIterator[str]:
    """Yield server-sent events; a model that fails midway is the last of them, before the end."""
    try:
        async for each in events:
            yield event(each)
    except ModelError as error:
        yield event(failed(error))
    finally:
        await stream.aclose()
    yield end
