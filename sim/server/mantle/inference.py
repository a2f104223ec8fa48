"""The two doors to the models: chat completions and responses, whole or streamed.

Sources: OpenAI API reference, chat completions and responses.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sim.server.inference import ModelError, Told, begun, models_of
from sim.server.mantle import chat, responses
from sim.server.mantle.errors import model_failed
from sim.server.mantle.http import event, event_stream, model_name, read_body
from sim.server.mantle.models import local_model
from sim.server.state import ServerState


class Inference:
    """Endpoints that ask the models."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    async def chat(self, request: Request) -> Response:
        """Answer `POST /v1/chat/completions`."""
        body = await read_body(request)
        name = model_name(body)
        asked = chat.read_chat(body, model=name, local_model=local_model(self._state, name))
        if not asked.stream:
            answer = await models_of(self._state).answer(asked.ask)
            return JSONResponse(chat.as_completion(asked, answer))
        return event_stream(_chat_events(asked, await begun(models_of(self._state), asked.ask)))

    async def responses(self, request: Request) -> Response:
        """Answer `POST /v1/responses`."""
        body = await read_body(request)
        name = model_name(body)
        local = local_model(self._state, name)
        asked = responses.read_response_request(body, model=name, local_model=local)
        response = responses.Response(asked)
        if not asked.stream:
            return JSONResponse(response.ended(await models_of(self._state).answer(asked.ask)))
        return event_stream(
            _response_events(response, await begun(models_of(self._state), asked.ask))
        )


async def _chat_events(asked: chat.ChatRequest, told: Told) -> AsyncIterator[str]:
    try:
        async for chunk in chat.as_chunks(asked, told):
            yield event(chunk)
    except ModelError as error:
        yield event(dict(model_failed(error).body()))
    finally:
        await told.aclose()
    yield "data: [DONE]\n\n"


async def _response_events(response: responses.Response, told: Told) -> AsyncIterator[str]:
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
