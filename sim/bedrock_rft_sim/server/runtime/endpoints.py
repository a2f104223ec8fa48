"""bedrock-runtime's operations; the app says of all others that they are not simulated.

A Nova model, and whatever was trained here under a Nova id, speaks the messages format in
InvokeModel; gpt-oss, Qwen and models that the mapping adds speak OpenAI's chat completions.
Ignored headers: trace, latency, service tier, request metadata. Guardrails are refused.
Sources: botocore service model bedrock-runtime/2023-09-30; Bedrock user guide, model-parameters.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from bedrock_rft_sim.errors import RehearsalError
from bedrock_rft_sim.server import errors
from bedrock_rft_sim.server.errors import NOT_SIMULATED, AwsError, aws_error, invalid
from bedrock_rft_sim.server.inference import (
    AnswerStream,
    Busy,
    Loading,
    ModelAnswer,
    ModelError,
    ModelRequest,
    Refused,
    start_stream,
    unless_disconnected,
)
from bedrock_rft_sim.server.json_body import parse_object
from bedrock_rft_sim.server.mantle import chat
from bedrock_rft_sim.server.mantle.errors import OpenAIError
from bedrock_rft_sim.server.runtime import converse, eventstream
from bedrock_rft_sim.server.runtime.callable_model import callable_model
from bedrock_rft_sim.server.state import ServerState

MODEL_ERROR_STATUS: Final = 424
_GUARDRAIL: Final = "x-amzn-bedrock-guardrailidentifier"


def refused(request: Request, error: Exception) -> Response:
    """Answer what went wrong, in AWS's form."""
    match error:
        case AwsError():
            return error.response()
        case OpenAIError() | Refused():
            return aws_error("ValidationException", str(error))
        case Busy():
            return aws_error("ThrottlingException", str(error))
        case Loading():
            return aws_error("ModelNotReadyException", str(error))
        case ModelError():
            return aws_error("ModelErrorException", str(error), status=MODEL_ERROR_STATUS)
        case RehearsalError():
            errors.log_failure(error)
            return aws_error("InternalServerException", str(error))
        case HTTPException():
            return errors.not_simulated(
                f"{request.method} {request.scope['path'][:200]}"
            ).response()
    return errors.internal_error(request, error)


class RuntimeEndpoints:
    """The operations that are simulated."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    async def converse(self, request: Request) -> Response:
        """Converse."""
        began = time.perf_counter()
        answer = await self._answer(request, await self._converse_question(request))
        metrics = {"latencyMs": converse.milliseconds_since(began)}
        return JSONResponse({**converse.as_reply(answer), "metrics": metrics})

    async def converse_stream(self, request: Request) -> Response:
        """ConverseStream."""
        began = time.perf_counter()
        stream = await self._begun(request, await self._converse_question(request))
        return _streamed(converse.as_events(stream, began=began))

    async def _converse_question(self, request: Request) -> ModelRequest:
        name, local = await self._model(request)
        body = await _body(request)
        return converse.read_converse(body, local_model=local, is_nova=self._is_nova(name))

    async def invoke(self, request: Request) -> Response:
        """InvokeModel."""
        began = time.perf_counter()
        question, checked = await self._invoke_question(request, streams=False)
        answer = await self._answer(request, question)
        body = converse.as_reply(answer) if checked is None else chat.as_completion(checked, answer)
        headers = {
            "x-amzn-bedrock-invocation-latency": str(converse.milliseconds_since(began)),
            "x-amzn-bedrock-input-token-count": str(answer.prompt_tokens),
            "x-amzn-bedrock-output-token-count": str(answer.completion_tokens),
        }
        return JSONResponse(body, headers=headers)

    async def invoke_stream(self, request: Request) -> Response:
        """InvokeModelWithResponseStream; Nova's chunks are ConverseStream's events by name."""
        began = time.perf_counter()
        question, checked = await self._invoke_question(request, streams=True)
        stream = await self._begun(request, question)

        async def chunks() -> AsyncIterator[tuple[str, dict[str, Any]]]:
            if checked is not None:
                async for chunk in chat.as_chunks(checked, stream):
                    yield _as_chunk(chunk)
                return
            async for name, value in converse.as_events(stream, began=began):
                yield _as_chunk({name: value})

        return _streamed(chunks())

    async def count_tokens(self, request: Request) -> Response:
        """CountTokens: an answer of no tokens says how long the question is."""
        name, local = await self._model(request)
        asked = (await _body(request)).get("input")
        match asked:
            case {"converse": dict(body), **more} if not more:
                is_nova = self._is_nova(name)
                question = converse.read_converse(body, local_model=local, is_nova=is_nova)
            case {"invokeModel": {"body": str(text)}, **more} if not more:
                question, _ = self._question(_decoded(text), name, local, streams=False)
            case _:
                raise invalid("input: expected either converse or invokeModel with a body")
        answer = await self._answer(request, replace(question, max_tokens=0))
        return JSONResponse({"inputTokens": answer.prompt_tokens})

    async def _answer(self, request: Request, question: ModelRequest) -> ModelAnswer:
        return await unless_disconnected(request, self._state.models.answer(question))

    async def _begun(self, request: Request, question: ModelRequest) -> AnswerStream:
        return await unless_disconnected(request, start_stream(self._state.models, question))

    async def _invoke_question(
        self, request: Request, *, streams: bool
    ) -> tuple[ModelRequest, chat.TextRequest | None]:
        """Return the question, and the chat request where the model speaks chat completions."""
        if _GUARDRAIL in request.headers:
            raise invalid(f"guardrails are {NOT_SIMULATED} by the local endpoint")
        name, local = await self._model(request)
        return self._question(await _body(request), name, local, streams=streams)

    def _question(
        self, body: dict[str, Any], name: str, local: str, *, streams: bool
    ) -> tuple[ModelRequest, chat.TextRequest | None]:
        if self._is_nova(name):
            return converse.read_nova(body, local_model=local), None
        if body.pop("stream", streams) is not streams:
            raise invalid("stream: the operation decides whether the answer is streamed")
        if body.pop("model", name) != name:
            raise invalid("model: expected the model of the path, or none")
        checked = chat.read_chat(body, model=name, local_model=local)
        return checked.question, checked

    def _is_nova(self, name: str) -> bool:
        """Whether the model speaks the messages format: Nova, and what was trained from it."""
        base = self._state.mapping.base(name)
        return base is None or base.startswith("amazon.")

    async def _model(self, request: Request) -> tuple[str, str]:
        """Return the model as the client calls it, and the local one."""
        name = request.path_params["model"]
        return name, await run_in_threadpool(callable_model, self._state, name)


async def _body(request: Request) -> dict[str, Any]:
    try:
        return await run_in_threadpool(parse_object, await request.body() or b"{}")
    except ValueError as error:
        raise invalid(f"Malformed input request: {error}") from error


def _decoded(text: str) -> dict[str, Any]:
    try:
        return parse_object(base64.b64decode(text, validate=True))
    except ValueError as error:
        raise invalid(f"input.invokeModel.body: {error}") from error


def _as_chunk(chunk: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    return "chunk", {"bytes": base64.b64encode(json.dumps(chunk).encode()).decode()}


def _streamed(events: AsyncIterator[tuple[str, dict[str, Any]]]) -> Response:
    """Return the events as a response; a model that fails midway ends it with an exception."""

    async def frames() -> AsyncIterator[bytes]:
        try:
            async for name, value in events:
                yield eventstream.event(name, value)
        except ModelError as error:
            yield eventstream.exception("modelStreamErrorException", str(error))

    headers = {"x-amzn-bedrock-content-type": "application/json"}
    return StreamingResponse(frames(), media_type=eventstream.CONTENT_TYPE, headers=headers)
